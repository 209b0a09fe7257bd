"""Pure-torch twins of the native ops: same signatures, same results, any device, float64 throughout.

They answer where nothing is compiled, and the tests compare the native kernels with them. None of them makes the host
wait for a GPU, except `slogdet` where torch's own does.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wrcor_ext.ops.checks import check_accumulator, check_group, check_response, check_square


def response_correlation(x: Tensor) -> Tensor:
    """Pearson correlation between the rows of `x`.

    Args:
        x: [N, ...] float32, float64, float16 or bfloat16; trailing dimensions are flattened to D features.

    Returns:
        [N, N] float64 in [-1, 1]; NaN in the row and column of every row without variance.
    """
    check_response(x)
    return _correlation(x.detach())


def accumulate_correlation(k: Tensor, x: Tensor, weight: float, counts: Tensor) -> None:
    """`k += weight * abs(C(x))`, or nothing if C(x) has a NaN.

    Args:
        k: [N, N] float64, changed in place.
        x: [N, ...] floating point.
        weight: factor of this response.
        counts: [2] int64, changed in place: (responses used, responses skipped).
    """
    check_accumulator(k, x, counts)
    _count(counts, _add_correlation(k[None], x, [weight]))


def accumulate_correlation_group(k: Tensor, xs: Sequence[Tensor], weights: Sequence[float], used: Tensor) -> None:
    """`k[s] += weights[s * R + r] * abs(C(xs[r]))` for each response r in turn, or nothing if C(xs[r]) has a NaN.

    Args:
        k: [S, N, N] float64, changed in place.
        xs: R responses [N, ...], floating point.
        weights: S * R factors, those of the first sum first.
        used: [R] int64, overwritten: 1 for a response that was added, else 0.
    """
    check_group(k, xs, weights, used)
    for r, x in enumerate(xs):
        used[r] = _add_correlation(k, x, weights[r :: len(xs)])


def accumulate_hamming(k: Tensor, x: Tensor, weight: float, counts: Tensor) -> None:
    """`k += weight * (B B^T + (1 - B)(1 - B)^T)` with B = x > 0, or nothing if x has a NaN or an infinity.

    Args:
        k: [N, N] float64, changed in place.
        x: [N, ...] floating point.
        weight: factor of this response.
        counts: [2] int64, changed in place: (responses used, responses skipped).
    """
    check_accumulator(k, x, counts)
    rows = x.detach().flatten(1)
    usable = rows.isfinite().all()
    on = (rows > 0).to(torch.float64)
    off = 1.0 - on
    k.add_(torch.where(usable, (on @ on.T + off @ off.T) * weight, 0.0))
    _count(counts, usable)


def slogdet(k: Tensor) -> tuple[Tensor, Tensor]:
    """Sign and logarithm of the absolute determinant, by LU with partial pivoting.

    Args:
        k: [..., N, N] float64.

    Returns:
        sign [...] and logabsdet [...], float64; (0, -inf) for a singular matrix, (NaN, NaN) for one that holds a NaN
        or an infinity.
    """
    check_square(k)
    k = k.detach()
    finite = k.isfinite().all(dim=-1).all(dim=-1)
    sign, logabsdet = torch.linalg.slogdet(torch.where(finite[..., None, None], k, 1.0))
    nan = torch.full_like(sign, torch.nan)
    return torch.where(finite, sign, nan), torch.where(finite, logabsdet, nan)


def _correlation(x: Tensor) -> Tensor:
    """C(x) for a checked response: [N, ...] -> [N, N] float64."""
    rows = x.flatten(1).to(torch.float64)
    low, high = rows.amin(dim=1, keepdim=True), rows.amax(dim=1, keepdim=True)
    # A row has no variance exactly if all its values are equal: the sum of squares cannot tell, because the mean of
    # equal values need not round back to that value. NaN fails every comparison, an infinity is asked for by name.
    varies = (low < high) & low.isfinite() & high.isfinite()
    # Correlation ignores the scale of a row. A power of two is exact and keeps squares of 1e-200 or 1e200 in range.
    exponent = torch.frexp(torch.maximum(low.abs(), high.abs())).exponent
    # Two halves, since 2^1074, which a subnormal row needs, is itself out of range.
    half = torch.div(exponent, 2, rounding_mode="floor")
    rows = torch.ldexp(torch.ldexp(rows, -half), half - exponent)
    centred = rows - rows.mean(dim=1, keepdim=True)
    gram = centred @ centred.T
    deviation = gram.diagonal().sqrt()
    correlation = (gram / deviation[:, None] / deviation[None, :]).clamp(-1.0, 1.0)
    return torch.where(varies & varies.T, correlation, torch.nan)


def _add_correlation(k: Tensor, x: Tensor, weights: Sequence[float]) -> Tensor:
    """`k[s] += weights[s] * abs(C(x))`, or nothing if C(x) has a NaN; returns whether it has none, a bool tensor []."""
    correlation = _correlation(x.detach())
    usable = ~correlation.isnan().any()
    magnitude = correlation.abs()
    for total, weight in zip(k, weights, strict=True):
        total.add_(torch.where(usable, magnitude * weight, 0.0))
    return usable


def _count(counts: Tensor, usable: Tensor) -> None:
    """Adds one to (used, skipped) without asking the device for the answer."""
    counts.add_(torch.stack((usable, ~usable)).to(torch.int64))
