"""The CuPy backend as a backend of the op tests: its whole host side, launching kernels in the emulator.

The functions have the signatures of `wrcor_ext.ops` and take CPU tensors. `csrc/emulator/raw_kernels.cpp` has the other
side.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from helpers import emulator

from wrcor_ext.ops.cupy_backend.kernel_ops import Argument, KernelOps


class EmulatedLauncher:
    """Launches kernels on the CPU, with arguments in memory as CUDA's driver takes them."""

    def on(self, device: torch.device) -> AbstractContextManager[None]:
        return nullcontext()

    def shared_limit(self, device: torch.device) -> int:
        return emulator.SHARED_LIMIT

    def launch(
        self, kernel: str, grid: int, block: int, arguments: Sequence[Argument], *, shared_bytes: int = 0
    ) -> None:
        launch(kernel, grid, block, arguments, shared_bytes)


def launch(kernel: str, grid: int, block: int, arguments: Sequence[Argument], shared_bytes: int) -> None:
    """Runs a kernel by name; a complaint is a RuntimeError."""
    memory = [np.ascontiguousarray(argument) for argument in arguments]
    values = (ctypes.c_void_p * len(memory))(*[argument.ctypes.data for argument in memory])
    sizes = (ctypes.c_size_t * len(memory))(*[argument.nbytes for argument in memory])
    complaint = library().wrcor_raw_launch(kernel.encode(), grid, block, shared_bytes, values, sizes, len(memory))
    if complaint is not None:
        raise RuntimeError(complaint.decode())


@functools.cache
def library() -> ctypes.CDLL:
    """The emulator's library with the functions of raw_kernels.cpp declared."""
    raw = ctypes.CDLL(str(emulator.build("wrcor_emulated") / "libwrcor_emulated.so"))
    size, pointer, sizes = ctypes.c_longlong, ctypes.c_void_p, ctypes.POINTER(ctypes.c_longlong)
    raw.wrcor_raw_launch.argtypes = [
        ctypes.c_char_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_size_t, ctypes.POINTER(pointer),
        ctypes.POINTER(ctypes.c_size_t), ctypes.c_int,
    ]  # fmt: skip
    raw.wrcor_raw_launch.restype = ctypes.c_char_p
    raw.wrcor_raw_layouts.argtypes, raw.wrcor_raw_layouts.restype = [], ctypes.c_char_p
    signatures = {
        "correlation_plan": [ctypes.c_int, size, size, size, sizes, sizes],
        "correlation_runs": [ctypes.c_int, size, sizes, size, sizes],
        "hamming_plan": [ctypes.c_int, size, size, sizes],
        "slogdet_plan": [size, size, size, sizes],
    }
    for name, arguments in signatures.items():
        function = getattr(raw, f"wrcor_raw_{name}")
        function.argtypes, function.restype = arguments, size if name == "correlation_runs" else None
    return raw


_ops = KernelOps(EmulatedLauncher())
response_correlation = _ops.response_correlation
accumulate_correlation = _ops.accumulate_correlation
accumulate_correlation_group = _ops.accumulate_correlation_group
accumulate_hamming = _ops.accumulate_hamming
slogdet = _ops.slogdet
