"""`rule="reference"` against the published code's scores of eight NAS-Bench-101 networks."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from helpers import golden
from torch import nn

from wrcor_ext.spaces import NASBench101


def build(case: dict[str, Any]) -> nn.Module:
    space = NASBench101(
        stem_width=case["stem_out"],
        stacks=case["num_stacks"],
        cells_per_stack=case["num_mods"],
        num_classes=case["classes"],
        image_size=case["input_size"],
    )
    arch = space.parse(json.dumps({"matrix": case["matrix"], "ops": case["ops"]}))
    model = space.build(arch)
    assert [list(parameter.shape) for parameter in model.parameters()] == case["param_shapes"]
    assert space.cost(arch).params == case["n_params"]
    return golden.fill(model, case["weight_seed"])


@pytest.mark.parametrize("index", range(8))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_reproduces_the_published_scores(index: int, dtype: torch.dtype) -> None:
    case = golden.cases("nasbench101")[index]
    golden.check_scores("nasbench101", case, build(case), dtype)


def test_every_published_score_is_compared() -> None:
    golden.check_complete("nasbench101")
