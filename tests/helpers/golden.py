"""The golden networks: scores of the published code for fixed weights and images (see the README beside the file)."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import wrcor_ext

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = Path(os.environ.get("WRCOR_TEST_GOLDEN", REPOSITORY.parent / "shared" / "golden" / "reference_scores.json"))
TEST_DATA = Path(os.environ.get("WRCOR_TEST_DATA", REPOSITORY.parent / "shared" / "data"))


@lru_cache(maxsize=1)
def _golden() -> dict[str, list[dict[str, Any]]]:
    golden: dict[str, list[dict[str, Any]]] = json.loads(GOLDEN.read_text())
    return golden


def cases(space: str) -> list[dict[str, Any]]:
    """All golden cases of a space (`nasbench201`, ...); the test skips with a reason where the file is absent."""
    if not GOLDEN.is_file():
        pytest.skip(f"no golden scores at {GOLDEN}: set WRCOR_TEST_GOLDEN")
    return _golden()[space]


def data_file(name: str) -> Path:
    """Path of a file in the evaluation data; the test skips with a reason where it is absent."""
    path = TEST_DATA / name
    if not path.is_file():
        pytest.skip(f"no evaluation data at {path}: set WRCOR_TEST_DATA")
    return path


def fill(model: nn.Module, weight_seed: int) -> nn.Module:
    """Overwrites the parameters as the golden README says, from one generator in the order of `parameters()`."""
    rng = np.random.RandomState(weight_seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() >= 2:
                scale = np.sqrt(2 / parameter[0].numel())
                draw = rng.standard_normal(tuple(parameter.shape)) * scale
                parameter.copy_(torch.from_numpy(draw.astype(np.float32)))
            else:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
    return model


def inputs(case: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Images [batch, 3, S, S] float32 and labels [batch] int64 of a case."""
    batch = case["batch"]
    size = case.get("input_size", case.get("score_resolution"))
    images = np.random.RandomState(case["input_seed"]).standard_normal((batch, 3, size, size)).astype(np.float32)
    labels = (np.arange(batch) // 2) % case["classes"]
    return torch.from_numpy(images), torch.from_numpy(labels)


# The published names of the correlation and sign-pattern scores, by ours.
PUBLISHED = {
    "wrcor": "act_grad_cor_weighted",
    "acor": "act_cor",
    "gcor": "grad_cor",
    "rcor": "act_grad_cor",
    "naswot": "act_hamming",
    "grad_hamming": "grad_hamming",
    "act_grad_hamming": "act_grad_hamming",
}


def check_scores(case: dict[str, Any], model: nn.Module, dtype: torch.dtype, rounding: dict[str, float]) -> None:
    """Scores the filled `model` under the reference rule and compares with the golden values.

    Args:
        case: the golden case.
        model: its network, float32.
        dtype: float64 is compared to a relative error of 1e-7, float32 to ten times `rounding`.
        rounding: the float32 rounding by our name of the score, as the golden README states it.
    """
    images, labels = inputs(case)
    names = list(PUBLISHED.values())
    scores = wrcor_ext.score(model.to(dtype), images.to(dtype), labels, proxies=names, rule="reference")
    for name, published in PUBLISHED.items():
        truth = float(case["scores_float64" if dtype == torch.float64 else "scores"][published])
        result = scores[published]
        assert result is scores[name]
        if truth == float("-inf"):
            assert result.status == "degenerate", name
            assert result.detail["reason"]
        else:
            assert result.status == "ok", (name, result)
            tolerance = 1e-7 if dtype == torch.float64 else 10 * rounding[name]
            assert result.value == pytest.approx(truth, rel=tolerance), name
