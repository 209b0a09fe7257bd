"""`rule="reference"`, FLOPs and parameters against the published code's values for two MobileNetV2 networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers import golden
from torch import nn

from wrcor_ext.spaces import MobileNetV2

SPACE = MobileNetV2()


def build(case: dict[str, Any]) -> nn.Module:
    arch = replace(SPACE.parse(case["arch"]), resolution=case["score_resolution"])
    return golden.fill(SPACE.build(arch, num_classes=case["classes"]), case["weight_seed"])


@pytest.mark.parametrize("index", range(2))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_reproduces_the_published_scores(index: int, dtype: torch.dtype) -> None:
    case = golden.cases("mobilenetv2")[index]
    golden.check_scores("mobilenetv2", case, build(case), dtype)


@pytest.mark.parametrize("index", range(2))
def test_reproduces_the_published_counts(index: int) -> None:
    case = golden.cases("mobilenetv2")[index]
    arch = SPACE.parse(f"{case['arch']}@{case['resolution']}")
    cost = SPACE.cost(arch, counting="published", num_classes=case["classes"])
    assert cost.flops == case["flops_at_resolution"]
    assert cost.params == case["n_params"]
    assert [list(p.shape) for p in build(case).parameters()] == case["param_shapes"]


def test_every_published_score_is_compared() -> None:
    golden.check_complete("mobilenetv2")
