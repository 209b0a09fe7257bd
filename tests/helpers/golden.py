"""The golden networks: scores of the published code for fixed weights and images (see the README beside the file)."""

from __future__ import annotations

import json
import math
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


# What float32 rounding does to each score by our name, relative, in the worst case of each space: the table of the
# golden README. What it calls "of order 1" is 1 here; noise measures have a tenth of the error that it allows them.
SPACES = ("nasbench201", "nasbench101", "mobilenetv2")
_GRADIENTS = (2e-4, 3e-3, 1e-2)
_SMALL_DIFFERENCES = (5e-3, 2e-2, 1.0)
_NOISE = (1e-4, 1e-4, 5e-3)
ROUNDING = {
    "wrcor": (1e-7, 4e-6, 6e-5),
    "acor": (1e-9, 6e-8, 4e-7),
    "gcor": (6e-7, 2e-6, 3e-4),
    "rcor": (6e-7, 2e-6, 3e-4),
    "naswot": (3e-8, 3e-7, 6e-5),
    "grad_hamming": (5e-6, 1e-5, 4e-4),
    "act_grad_hamming": (5e-6, 1e-5, 4e-4),
    "jacob_cor": (1e-6, 2e-5, 1e-4),
    "jacob_cor_logdet": _SMALL_DIFFERENCES,
    "epe_score": _SMALL_DIFFERENCES,
    "resp_sens": _GRADIENTS,
    "plain": _SMALL_DIFFERENCES,
    "grad_norm": _GRADIENTS,
    "l2_norm": (1e-6, 1e-6, 1e-6),
    "snip": _GRADIENTS,
    "grasp": _SMALL_DIFFERENCES,
    "fisher": _GRADIENTS,
    # Computed in float64 by the published code, too.
    "synflow": (1e-8, 1e-8, 1e-8),
    # Nearly everything cancels, on most networks of NAS-Bench-101 all but the rounding error: see the test there.
    "synflow_bn": (1e-7, math.inf, 1e-8),
    "layerwise_dyn_isometry": (1e-6, 1e-6, 1e-6),
    "phi_score": _NOISE,
    "phi_score_bn": _NOISE,
    "phi_score_with_data": _NOISE,
    "phi_score_with_data_bn": _NOISE,
    "zen_score": _NOISE,
    "zen_score_with_data": _NOISE,
    "zen_score_cossim": _NOISE,
    "zen_score_with_data_cossim": _NOISE,
    "ssl_score": _NOISE,
    "feature_distance": (1e-7, 1e-6, 5e-5),
    "bundle_entropy": (1e-7, 1e-7, 1e-7),
}

# The published names of our scores, where they differ.
PUBLISHED = {
    "wrcor": "act_grad_cor_weighted",
    "acor": "act_cor",
    "gcor": "grad_cor",
    "rcor": "act_grad_cor",
    "naswot": "act_hamming",
}


def check_complete(space: str) -> None:
    """Every measure that the golden file has of a space is compared."""
    measures = {measure for case in cases(space) for measure in case["scores"]}
    assert measures == {PUBLISHED.get(name, name) for name in ROUNDING}


def check_scores(space: str, case: dict[str, Any], model: nn.Module, dtype: torch.dtype) -> None:
    """Scores the filled `model` under the reference rule and compares with the golden values.

    Args:
        space: a key of the golden file.
        case: the golden case.
        model: its network, float32.
        dtype: float64 is compared to a relative error of 1e-7, where the file has such values; float32 to ten times
            the rounding.
    """
    images, labels = inputs(case)
    truths = case["scores_float64" if dtype == torch.float64 else "scores"]
    names = [name for name in ROUNDING if PUBLISHED.get(name, name) in truths]
    published = [PUBLISHED.get(name, name) for name in names]
    scores = wrcor_ext.score(model.to(dtype), images.to(dtype), labels, proxies=published, rule="reference")
    wrong = []
    for name, theirs in zip(names, published, strict=True):
        result = scores[name]
        assert scores[theirs] is result
        if str(truths[theirs]).startswith("error"):  # the definition is followed; its docstring says how
            assert result.status == "ok", (name, result)
            continue
        truth = float(truths[theirs])
        if not math.isfinite(truth):
            assert result.status == "degenerate", name
            assert result.detail["reason"]
            continue
        tolerance = 1e-7 if dtype == torch.float64 else 10 * ROUNDING[name][SPACES.index(space)]
        if result.value != pytest.approx(truth, rel=tolerance, abs=0):
            wrong.append((name, result, truth))
    assert not wrong
