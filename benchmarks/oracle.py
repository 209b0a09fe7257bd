"""What the ops have to return, by numpy in float64: shares no code with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Matrix = NDArray[np.float64]


def rows_of(x: Tensor) -> Matrix:
    """[N, ...] of any element type on any device -> [N, D] float64 on the host."""
    return np.asarray(x.detach().double().flatten(1).cpu().numpy())


def correlation(x: Tensor) -> Matrix:
    """C(x): [N, ...] -> [N, N]."""
    return np.corrcoef(rows_of(x))


def correlation_sum(responses: Sequence[Tensor], weights: Sequence[float]) -> Matrix:
    """The sum of weight * abs(C(x)): responses [N, ...] -> [N, N]."""
    pairs = zip(responses, weights, strict=True)
    return np.sum([weight * np.abs(correlation(x)) for x, weight in pairs], axis=0)


def hamming(x: Tensor) -> Matrix:
    """B B^T + (1 - B)(1 - B)^T with B = x > 0: [N, ...] -> [N, N]."""
    on = (rows_of(x) > 0).astype(np.float64)
    off = 1.0 - on
    return on @ on.T + off @ off.T


def slogdet(k: Tensor) -> Matrix:
    """[..., N, N] float64 -> [2, ...]: sign and log of the absolute determinant."""
    return np.stack(np.linalg.slogdet(k.cpu().numpy()))


def deviation(found: Tensor | Matrix, expected: Matrix) -> float:
    """Largest difference, over the largest entry of `expected`; NaN for a NaN in either, infinite if shapes differ."""
    got = found.detach().double().cpu().numpy() if isinstance(found, Tensor) else np.asarray(found, dtype=np.float64)
    if got.shape != expected.shape:
        return float("inf")
    return float(np.abs(got - expected).max() / np.abs(expected).max())
