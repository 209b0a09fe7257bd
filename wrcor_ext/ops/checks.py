"""Input checks shared by the public functions, the fakes and the reference implementations.

The native kernels check the same conditions with the same words (`csrc/stable.h`); a test compares the messages.
Only shapes, dtypes and devices are looked at, never values, so the checks also run on fake tensors.
"""

from __future__ import annotations

import torch
from torch import Tensor

from wrcor_ext.errors import InputError

MAX_ROWS = 512
"""Largest number of rows: the N x N float64 state of a larger batch no longer fits a second-level cache."""

FLOAT_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def dtype_name(dtype: torch.dtype) -> str:
    """`float32` for `torch.float32`."""
    return str(dtype).removeprefix("torch.")


def check_response(x: Tensor) -> None:
    """Refuses anything but a response: [N, ...], a floating-point dtype, 1 <= N <= 512, at least one feature."""
    if x.dtype not in FLOAT_DTYPES:
        raise InputError(f"x must be float32, float64, float16 or bfloat16, not {dtype_name(x.dtype)}.")
    if x.dim() < 2:
        raise InputError(f"x must have at least 2 dimensions [N, ...], not {x.dim()}.")
    check_rows("x", x.shape[0])
    if x.numel() == 0:
        raise InputError(f"x must have at least one feature in each row, not shape {shape_text(x)}.")


def check_accumulator(k: Tensor, x: Tensor, counts: Tensor) -> None:
    """Refuses a kernel matrix or counters that do not fit the response `x` (which is checked first)."""
    check_response(x)
    n = x.shape[0]
    if k.dtype != torch.float64:
        raise InputError(f"k must be float64, not {dtype_name(k.dtype)}.")
    if k.dim() != 2 or k.shape[0] != n or k.shape[1] != n:
        raise InputError(f"k must have shape [{n}, {n}] to match x, not {shape_text(k)}.")
    if not k.is_contiguous():
        raise InputError("k must be contiguous.")
    if counts.dtype != torch.int64:
        raise InputError(f"counts must be int64, not {dtype_name(counts.dtype)}.")
    if counts.dim() != 1 or counts.shape[0] != 2:
        raise InputError(f"counts must have shape [2], not {shape_text(counts)}.")
    if not counts.is_contiguous():
        raise InputError("counts must be contiguous.")
    if k.device != x.device or counts.device != x.device:
        raise InputError(f"k, x and counts must be on one device, not {k.device}, {x.device} and {counts.device}.")


def check_square(k: Tensor) -> None:
    """Refuses anything but a batch of square float64 matrices, 1 <= N <= 512."""
    if k.dtype != torch.float64:
        raise InputError(f"k must be float64, not {dtype_name(k.dtype)}.")
    if k.dim() < 2 or k.shape[-1] != k.shape[-2]:
        raise InputError(f"k must have shape [..., N, N], not {shape_text(k)}.")
    check_rows("k", k.shape[-1])


def check_rows(name: str, n: int) -> None:
    """Refuses a number of rows outside 1..512."""
    if not 1 <= n <= MAX_ROWS:
        raise InputError(f"{name} must have 1 to {MAX_ROWS} rows, not {n}.")


def shape_text(tensor: Tensor) -> str:
    """`[64, 3, 32, 32]`."""
    return "[" + ", ".join(str(size) for size in tensor.shape) + "]"
