"""`rule="reference"`, FLOPs and parameters against the published code's values for two MobileNetV2 networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers import golden
from torch import nn

import wrcor_ext
from wrcor_ext.spaces.mobilenetv2 import MobileNetV2

SPACE = MobileNetV2()

# Our name, the published one, and ten times the float32 rounding that the golden README states.
MEASURES = [
    ("wrcor", "act_grad_cor_weighted", 6e-4),
    ("acor", "act_cor", 4e-6),
    ("gcor", "grad_cor", 3e-3),
    ("rcor", "act_grad_cor", 3e-3),
    ("naswot", "act_hamming", 6e-4),
    ("grad_hamming", "grad_hamming", 4e-3),
    ("act_grad_hamming", "act_grad_hamming", 4e-3),
]
PROXIES = [published for _, published, _ in MEASURES]


def build(case: dict[str, Any]) -> nn.Module:
    arch = replace(SPACE.parse(case["arch"]), resolution=case["score_resolution"])
    return SPACE.build(arch, num_classes=case["classes"], seed=0)


@pytest.mark.parametrize("index", range(2))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_reproduces_the_published_scores(index: int, dtype: torch.dtype) -> None:
    case = golden.cases("mobilenetv2")[index]
    images, labels = golden.inputs(case)
    model = golden.fill(build(case), case["weight_seed"]).to(dtype)
    scores = wrcor_ext.score(model, images.to(dtype), labels, proxies=PROXIES, rule="reference")
    for name, published, rounding in MEASURES:
        truth = float(case["scores_float64" if dtype == torch.float64 else "scores"][published])
        result = scores[published]
        assert result is scores[name]
        assert result.status == "ok", (name, result)
        assert result.value == pytest.approx(truth, rel=1e-7 if dtype == torch.float64 else rounding), name


@pytest.mark.parametrize("index", range(2))
def test_reproduces_the_published_counts(index: int) -> None:
    case = golden.cases("mobilenetv2")[index]
    arch = SPACE.parse(f"{case['arch']}@{case['resolution']}")
    cost = SPACE.cost(arch, counting="published", num_classes=case["classes"])
    assert cost.flops == case["flops_at_resolution"]
    assert cost.params == case["n_params"]
    assert [list(p.shape) for p in build(case).parameters()] == case["param_shapes"]
