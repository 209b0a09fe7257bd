"""Launches kernels through CuPy on torch's current stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

from wrcor_ext.ops.cupy_backend.compiler import Compiler
from wrcor_ext.ops.cupy_backend.kernel_ops import Argument


@dataclass(frozen=True)
class _TorchStream:
    """A stream of torch as CuPy takes it: CUDA's protocol for streams of other libraries."""

    handle: int

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.handle


class CupyLauncher:
    """The launcher of `kernel_ops` for GPUs."""

    def __init__(self, cupy: ModuleType, compiler: Compiler) -> None:
        self._cupy = cupy
        self._compiler = compiler
        self._kernels: dict[tuple[int, str], Any] = {}
        self._limits: dict[int, int] = {}

    @contextmanager
    def on(self, device: torch.device) -> Iterator[None]:
        """Launches in this context go to torch's current stream on `device`."""
        handle = torch.cuda.current_stream(device).cuda_stream
        # Both devices: the two may hold CUDA runtimes of their own, each with a current one. The stream after them:
        # some versions of CuPy take it for one of the device that is current when it is made.
        with (
            torch.cuda.device(device),
            self._cupy.cuda.Device(device.index),
            self._cupy.cuda.Stream.from_external(_TorchStream(handle)),
        ):
            yield

    def shared_limit(self, device: torch.device) -> int:
        """Bytes of shared memory that a block may ask for."""
        index = device.index
        if index not in self._limits:
            self._limits[index] = self._cupy.cuda.Device(index).attributes["MaxSharedMemoryPerBlockOptin"]
        return self._limits[index]

    def launch(
        self, kernel: str, grid: int, block: int, arguments: Sequence[Argument], *, shared_bytes: int = 0
    ) -> None:
        """Launches a kernel, which is compiled when a device first asks for it."""
        key = (self._cupy.cuda.runtime.getDevice(), kernel)
        if key not in self._kernels:
            loaded = self._compiler.load(kernel)
            if shared_bytes:
                # All that a block may use, once and for all: threads that ask for different sizes do not race.
                limit = self.shared_limit(torch.device("cuda", key[0]))
                loaded.max_dynamic_shared_size_bytes = limit - loaded.shared_size_bytes
            self._kernels[key] = loaded
        self._kernels[key]((grid,), (block,), tuple(arguments), shared_mem=shared_bytes)
