"""`rule="reference"` against the published code's scores of twelve NAS-Bench-201 networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers import golden
from torch import nn

from wrcor_ext import spaces


def build(case: dict[str, Any]) -> nn.Module:
    space = spaces.get("nasbench201")
    options = {"stem_width": case["C"], "cells_per_stage": case["N"]}
    model = space.build(space.parse(case["arch"]), num_classes=case["classes"], **options)
    return golden.fill(model, case["weight_seed"])


@pytest.mark.parametrize("index", range(12))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_reproduces_the_published_scores(index: int, dtype: torch.dtype) -> None:
    case = golden.cases("nasbench201")[index]
    golden.check_scores("nasbench201", case, build(case), dtype)


def test_every_published_score_is_compared() -> None:
    golden.check_complete("nasbench201")
