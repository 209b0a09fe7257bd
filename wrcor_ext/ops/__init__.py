"""The numeric core: correlation, sign-pattern and log-determinant ops, native where compiled, pure torch elsewhere.

Public functions check their input (`wrcor_ext.errors.InputError`), detach it and call `torch.ops.wrcor_ext.*`; none is
differentiable. One that finds no memory for its own needs raises `torch.OutOfMemoryError` (`MemoryError` on a CPU) and
has written nothing. `backends()` says who answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wrcor_ext.ops import checks
from wrcor_ext.ops.native import (
    LibraryReport,
    NativeLibrary,
    check_required,
    cuda_backend,
    cuda_reason,
    libraries,
    native_library,
    native_reason,
)
from wrcor_ext.ops.registration import NAMESPACE, SCHEMAS

__all__ = [
    "LibraryReport",
    "NativeLibrary",
    "OpBackend",
    "accumulate_correlation",
    "accumulate_correlation_group",
    "accumulate_hamming",
    "backends",
    "libraries",
    "native_library",
    "native_reason",
    "response_correlation",
    "slogdet",
]


@dataclass(frozen=True)
class OpBackend:
    """Who answers an op on a device.

    Attributes:
        op: the op's name without namespace.
        device: "cpu" or "cuda".
        backend: "native" (compiled), "cupy" (the CUDA kernels compiled at run time) or "torch" (the reference).
        reason: one sentence.
    """

    op: str
    device: str
    backend: str
    reason: str


def response_correlation(x: Tensor) -> Tensor:
    """Pearson correlation between the rows of a response, `numpy.corrcoef` with one row per image.

    Args:
        x: [N, ...] float32, float64, float16 or bfloat16, 1 <= N <= 512; trailing dimensions are flattened to D >= 1
            features. Read in place if every sample is a dense block of memory (NCHW, channels_last, batch slices).

    Returns:
        [N, N] float64, clipped to [-1, 1]. A row whose values are all equal, or that holds a NaN or an infinity, has no
        correlation: NaN in its row and column.

    Raises:
        InputError: another dtype, fewer than 2 dimensions, N out of range, no feature.
    """
    checks.check_response(x)
    result: Tensor = _call("response_correlation", x.detach())
    return result


def accumulate_correlation(k: Tensor, x: Tensor, weight: float, counts: Tensor) -> None:
    """Adds one response to WRCor's kernel matrix: `k += weight * abs(C(x))`, or nothing if C(x) has a NaN.

    K of "Zero-shot NAS by weighted response correlation" (arXiv 2507.08841). The host never waits for a GPU.

    Args:
        k: [N, N] float64, contiguous; changed in place.
        x: [N, ...], as for `response_correlation`.
        weight: 2^level in WRCor.
        counts: [2] int64, contiguous; changed in place: responses used, responses skipped.

    Raises:
        InputError: a shape, dtype or device that does not fit.
    """
    checks.check_accumulator(k, x, counts)
    _call("accumulate_correlation", k, x.detach(), weight, counts)


def accumulate_correlation_group(k: Tensor, xs: Sequence[Tensor], weights: Sequence[float], used: Tensor) -> None:
    """Adds many responses to several kernel matrices: `k[s] += weights[s * R + r] * abs(C(xs[r]))`.

    The same numbers as `accumulate_correlation` for each sum and response, in the order of `xs`, but every correlation
    is computed once and small responses share the launches of a GPU. The host never waits for a GPU.

    Args:
        k: [S, N, N] float64, contiguous, 1 <= S <= 8; changed in place. Where the memory that the responses need cannot
            be had on a GPU, it stays as it is.
        xs: R >= 1 responses [N, ...] of one N, dtype and device, as for `response_correlation`; D may differ.
        weights: S * R factors, those of the first sum first: `weights[s * R + r]` is that of response r in sum s.
        used: [R] int64, contiguous; overwritten: 1 for a response that was added, 0 for one that has a row without
            variance, a NaN or an infinity.

    Raises:
        InputError: no response, or a shape, dtype, device or number of factors that does not fit.
    """
    checks.check_group(k, xs, weights, used)
    _call("accumulate_correlation_group", k, [x.detach() for x in xs], weights, used)


def accumulate_hamming(k: Tensor, x: Tensor, weight: float, counts: Tensor) -> None:
    """Adds one response to NASWOT's kernel matrix: `k += weight * (B B^T + (1 - B)(1 - B)^T)`, B = x > 0.

    Entry (i, j) counts the features with the same sign pattern for images i and j (Mellor et al., "Neural architecture
    search without training", ICML 2021). A response that holds a NaN or an infinity adds nothing and counts as skipped.

    Args:
        k: [N, N] float64, contiguous; changed in place.
        x: [N, ...], as for `response_correlation`.
        weight: factor of this response.
        counts: [2] int64, contiguous; changed in place: responses used, responses skipped.

    Raises:
        InputError: a shape, dtype or device that does not fit.
    """
    checks.check_accumulator(k, x, counts)
    _call("accumulate_hamming", k, x.detach(), weight, counts)


def slogdet(k: Tensor) -> tuple[Tensor, Tensor]:
    """Sign and logarithm of the absolute determinant of each matrix, by LU with partial pivoting.

    Args:
        k: [..., N, N] float64, 1 <= N <= 512; need not be symmetric or definite.

    Returns:
        sign [...] (-1, 0 or 1) and logabsdet [...], both float64. Singular: (0, -inf). A NaN or an infinity anywhere in
        a matrix: (NaN, NaN).

    Raises:
        InputError: another dtype, not square, N out of range.
    """
    checks.check_square(k)
    sign, logabsdet = _call("slogdet", k.detach())
    return sign, logabsdet


def backends() -> tuple[OpBackend, ...]:
    """Who answers each op on each device, and why. Imports CuPy where it may be the one."""
    report = []
    for op in SCHEMAS:
        for device, key in (("cpu", "CPU"), ("cuda", "CUDA")):
            registered = torch._C._dispatch_has_kernel_for_dispatch_key(f"{NAMESPACE}::{op}", key)
            kernels, reason = ("native", native_reason()) if device == "cpu" else (cuda_backend(), cuda_reason())
            report.append(OpBackend(op, device, kernels if registered else "torch", reason))
    return tuple(report)


def _call(op: str, *arguments: Any) -> Any:
    """The op's answer. A native op without memory gets the exception of torch's own ops, which the stable ABI drops."""
    check_required()
    try:
        return getattr(torch.ops.wrcor_ext, op)(*arguments)
    except RuntimeError as error:
        said = str(error).partition("\n")[0]
        if not said.startswith("cannot allocate "):
            raise
        raise (torch.OutOfMemoryError if " on cuda:" in said else MemoryError)(said) from error
