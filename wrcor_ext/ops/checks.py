"""Input checks shared by the public functions, the fakes and the reference implementations.

The native kernels check the same conditions with the same words (`csrc/stable.h`); a test compares the messages.
Only shapes, dtypes and devices are looked at, never values, so the checks also run on fake tensors.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wrcor_ext.errors import InputError

MAX_ROWS = 512
"""Largest number of rows: the N x N float64 state of a larger batch no longer fits a second-level cache."""

MAX_SUMS = 8
"""Most sums of one grouped call: their factors travel to a GPU within the 4 KB of a kernel's parameters."""

FLOAT_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def dtype_name(dtype: torch.dtype | torch.layout) -> str:
    """`float32` for `torch.float32`."""
    return str(dtype).removeprefix("torch.")


def check_response(x: Tensor, name: str = "x") -> None:
    """Refuses anything but a response: [N, ...], a floating-point dtype, 1 <= N <= 512, at least one feature."""
    if x.dtype not in FLOAT_DTYPES:
        raise InputError(f"{name} must be float32, float64, float16 or bfloat16, not {dtype_name(x.dtype)}.")
    check_strided(name, x)
    if x.dim() < 2:
        raise InputError(f"{name} must have at least 2 dimensions [N, ...], not {x.dim()}.")
    check_rows(name, x.shape[0])
    if x.numel() == 0:
        raise InputError(f"{name} must have at least one feature in each row, not shape {shape_text(x)}.")


def check_accumulator(k: Tensor, x: Tensor, counts: Tensor) -> None:
    """Refuses a kernel matrix or counters that do not fit the response `x` (which is checked first)."""
    check_response(x)
    n = x.shape[0]
    if k.dtype != torch.float64:
        raise InputError(f"k must be float64, not {dtype_name(k.dtype)}.")
    if k.dim() != 2 or k.shape[0] != n or k.shape[1] != n:
        raise InputError(f"k must have shape [{n}, {n}] to match x, not {shape_text(k)}.")
    check_contiguous("k", k)
    if counts.dtype != torch.int64:
        raise InputError(f"counts must be int64, not {dtype_name(counts.dtype)}.")
    if counts.dim() != 1 or counts.shape[0] != 2:
        raise InputError(f"counts must have shape [2], not {shape_text(counts)}.")
    check_contiguous("counts", counts)
    if k.device != x.device or counts.device != x.device:
        raise InputError(f"k, x and counts must be on one device, not {k.device}, {x.device} and {counts.device}.")


def check_group(k: Tensor, xs: Sequence[Tensor], weights: Sequence[float], used: Tensor) -> None:
    """Refuses responses that do not go together, and sums, factors or flags that do not fit them."""
    if not xs:
        raise InputError("xs must hold at least one response.")
    first = xs[0]
    n, count = first.shape[0] if first.dim() else 0, len(xs)
    for r, x in enumerate(xs):
        name = f"xs[{r}]"
        check_response(x, name)
        if x.dtype != first.dtype:
            raise InputError(f"{name} must be {dtype_name(first.dtype)} like xs[0], not {dtype_name(x.dtype)}.")
        if x.shape[0] != first.shape[0]:
            raise InputError(f"{name} must have {first.shape[0]} rows like xs[0], not {x.shape[0]}.")
        if x.device != first.device:
            raise InputError(f"{name} must be on {first.device} like xs[0], not on {x.device}.")
    n, count = first.shape[0], len(xs)
    if k.dtype != torch.float64:
        raise InputError(f"k must be float64, not {dtype_name(k.dtype)}.")
    if k.dim() != 3 or not 1 <= k.shape[0] <= MAX_SUMS or k.shape[1] != n or k.shape[2] != n:
        raise InputError(
            f"k must have shape [S, {n}, {n}] with S from 1 to {MAX_SUMS} to match xs, not {shape_text(k)}."
        )
    check_contiguous("k", k)
    sums = k.shape[0]
    if len(weights) != sums * count:
        raise InputError(
            f"weights must hold {sums} x {count} = {sums * count} factors, those of the first sum first, "
            f"not {len(weights)}."
        )
    if used.dtype != torch.int64:
        raise InputError(f"used must be int64, not {dtype_name(used.dtype)}.")
    if used.dim() != 1 or used.shape[0] != count:
        raise InputError(f"used must have shape [{count}] to match xs, not {shape_text(used)}.")
    check_contiguous("used", used)
    if k.device != first.device or used.device != first.device:
        raise InputError(f"k, xs and used must be on one device, not {k.device}, {first.device} and {used.device}.")


def check_square(k: Tensor) -> None:
    """Refuses anything but a batch of square float64 matrices, 1 <= N <= 512."""
    if k.dtype != torch.float64:
        raise InputError(f"k must be float64, not {dtype_name(k.dtype)}.")
    check_strided("k", k)
    if k.dim() < 2 or k.shape[-1] != k.shape[-2]:
        raise InputError(f"k must have shape [..., N, N], not {shape_text(k)}.")
    check_rows("k", k.shape[-1])


def check_rows(name: str, n: int) -> None:
    """Refuses a number of rows outside 1..512."""
    if not 1 <= n <= MAX_ROWS:
        raise InputError(f"{name} must have 1 to {MAX_ROWS} rows, not {n}.")


def check_strided(name: str, tensor: Tensor) -> None:
    """Refuses sparse tensors, which no native kernel is registered for: they would end in the reference."""
    if tensor.layout != torch.strided:
        raise InputError(f"{name} must be a strided tensor, not {dtype_name(tensor.layout)}.")


def check_contiguous(name: str, tensor: Tensor) -> None:
    """Refuses any other strides: accumulators are written in place."""
    check_strided(name, tensor)
    if not tensor.is_contiguous():
        raise InputError(f"{name} must be contiguous, not have strides {list(tensor.stride())}.")


def shape_text(tensor: Tensor) -> str:
    """`[64, 3, 32, 32]`."""
    return "[" + ", ".join(str(size) for size in tensor.shape) + "]"
