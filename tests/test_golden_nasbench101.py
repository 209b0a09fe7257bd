"""`rule="reference"` against the published code's scores of eight NAS-Bench-101 networks."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from helpers import golden
from torch import nn

import wrcor_ext
from wrcor_ext.spaces import NASBench101

# Our name, the published one, and ten times the float32 rounding that the golden README states.
MEASURES = [
    ("wrcor", "act_grad_cor_weighted", 4e-5),
    ("acor", "act_cor", 6e-7),
    ("gcor", "grad_cor", 2e-5),
    ("rcor", "act_grad_cor", 2e-5),
    ("naswot", "act_hamming", 3e-6),
    ("grad_hamming", "grad_hamming", 1e-4),
    ("act_grad_hamming", "act_grad_hamming", 1e-4),
]
PROXIES = [published for _, published, _ in MEASURES]


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
    images, labels = golden.inputs(case)
    scores = wrcor_ext.score(build(case).to(dtype), images.to(dtype), labels, proxies=PROXIES, rule="reference")
    for name, published, rounding in MEASURES:
        truth = float(case["scores_float64" if dtype == torch.float64 else "scores"][published])
        result = scores[published]
        assert result is scores[name]
        assert result.status == "ok", (name, result)
        assert result.value == pytest.approx(truth, rel=1e-7 if dtype == torch.float64 else rounding), name
