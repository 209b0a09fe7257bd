"""`rule="reference"` against the published code's scores of twelve NAS-Bench-201 networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers import golden
from torch import nn

import wrcor_ext
from wrcor_ext import spaces

# Our name, the published one, and ten times the float32 rounding that the golden README states.
MEASURES = [
    ("wrcor", "act_grad_cor_weighted", 1e-6),
    ("acor", "act_cor", 1e-8),
    ("gcor", "grad_cor", 6e-6),
    ("rcor", "act_grad_cor", 6e-6),
    ("naswot", "act_hamming", 3e-7),
    ("grad_hamming", "grad_hamming", 5e-5),
    ("act_grad_hamming", "act_grad_hamming", 5e-5),
]
PROXIES = [published for _, published, _ in MEASURES]


def build(case: dict[str, Any]) -> nn.Module:
    space = spaces.get("nasbench201")
    options = {"stem_width": case["C"], "cells_per_stage": case["N"]}
    model = space.build(space.parse(case["arch"]), num_classes=case["classes"], **options)
    return golden.fill(model, case["weight_seed"])


@pytest.mark.parametrize("index", range(12))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_reproduces_the_published_scores(index: int, dtype: torch.dtype) -> None:
    case = golden.cases("nasbench201")[index]
    images, labels = golden.inputs(case)
    scores = wrcor_ext.score(build(case).to(dtype), images.to(dtype), labels, proxies=PROXIES, rule="reference")
    for name, published, rounding in MEASURES:
        truth = float(case["scores_float64" if dtype == torch.float64 else "scores"][published])
        result = scores[published]
        assert result is scores[name]
        if truth == float("-inf"):
            assert result.status == "degenerate", name
            assert result.detail["reason"]
        else:
            assert result.status == "ok", (name, result)
            assert result.value == pytest.approx(truth, rel=1e-7 if dtype == torch.float64 else rounding), name
