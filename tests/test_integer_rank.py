"""Singular or not, where a floating-point determinant cannot tell: against exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

import wrcor_ext
from wrcor_ext.integer_rank import is_singular


def exact_rank(matrix: np.ndarray) -> int:
    """By elimination in fractions."""
    rows = [[Fraction(int(v)) for v in row] for row in matrix]
    rank = 0
    for column in range(len(rows)):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for row in rows[rank + 1 :]:
            factor = row[column] / rows[rank][column]
            row[:] = [a - factor * b for a, b in zip(row, rows[rank], strict=True)]
        rank += 1
    return rank


@pytest.mark.parametrize("seed", range(30))
def test_it_agrees_with_fractions(seed: int) -> None:
    """Gram matrices of few, of barely enough and of enough vectors, times up to a billion."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 12))
    vectors = rng.integers(-3, 4, (n, n + int(rng.integers(-1, 2)))) * int(rng.integers(1, 30_000))
    k = vectors @ vectors.T
    assert is_singular(torch.from_numpy(k.astype(np.float64))) == (exact_rank(k) < n)


def test_one_unit_in_a_billion_is_enough() -> None:
    n, many = 64, 10**9
    k = torch.full((n, n), float(many), dtype=torch.float64)
    assert is_singular(k)
    k += torch.eye(n, dtype=torch.float64)
    assert not is_singular(k)
    k[0] = k[1]
    k[:, 0] = k[:, 1]
    assert is_singular(k)
    assert is_singular(torch.zeros(2, 2, dtype=torch.float64))


class Few(nn.Module):
    """So few units that the patterns of 64 images depend on each other."""

    def __init__(self) -> None:
        super().__init__()
        self.units = nn.Linear(20, 30)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.units(x).relu()


@pytest.mark.parametrize("seed", range(3))
def test_patterns_of_too_few_units_are_degenerate_and_not_a_rounding_error(seed: int) -> None:
    torch.manual_seed(seed)
    score = wrcor_ext.score(Few(), torch.randn(64, 20), proxies=["naswot"])["naswot"]
    assert np.isfinite(score.detail["value"])  # what the floating-point determinant is
    assert score.status == "degenerate"
    assert "singular" in str(score.detail["reason"])
