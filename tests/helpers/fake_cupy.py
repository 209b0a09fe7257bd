"""As much of CuPy as the backend uses, on a machine without one: it compiles nothing and launches in the emulator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from helpers import cupy_emulated

from wrcor_ext.ops.cupy_backend.kernel_ops import Argument

SHARED_LIMIT = 99 * 1024
STATIC_SHARED = 16


class CompileError(Exception):
    """Stands for `cupy.cuda.compiler.CompileException`."""


class FakeKernel:
    """A `cupy.RawKernel` out of a file: `FakeCupy._compile` writes the kernel's name there."""

    def __init__(self, cupy: FakeCupy, path: Path, symbol: str) -> None:
        assert path.stem.endswith(f"-{symbol}")
        self._cupy = cupy
        self.name = path.read_text()
        self.shared_size_bytes = STATIC_SHARED
        self.max_dynamic_shared_size_bytes = 48 * 1024

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Argument, ...], *, shared_mem: int = 0
    ) -> None:
        assert shared_mem <= self.max_dynamic_shared_size_bytes
        self._cupy.launches.append((self.name, self._cupy.stream))
        (blocks,), (threads,) = grid, block
        cupy_emulated.launch(self.name, blocks, threads, args, shared_mem)


class FakeCupy:
    """The module `cupy`.

    Attributes:
        compiled: (kernel, options) of every compilation.
        launches: (kernel, handle of the current stream) of every launch.
        stream: the handle of the current stream.
        capability: of the device.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "include" / "nv").mkdir(parents=True)
        for header in ("cuda_fp16.h", "nv/target"):
            (folder / "include" / header).touch()
        self.__version__ = "14.2.0"
        self.__file__ = str(folder / "cupy" / "__init__.py")
        self.toolkit: str | None = str(folder)
        self.capability = "90"
        self.devices: int | Exception = 1
        self.compiled: list[tuple[str, tuple[str, ...]]] = []
        self.launches: list[tuple[str, int | None]] = []
        self.stream: int | None = None
        self.device = 0
        self.cuda = SimpleNamespace(
            get_cuda_path=lambda: self.toolkit,
            runtime=SimpleNamespace(getDevice=lambda: self.device, getDeviceCount=self._count),
            nvrtc=SimpleNamespace(getVersion=lambda: (13, 0)),
            compiler=SimpleNamespace(compile_using_nvrtc=self._compile, CompileException=CompileError),
            Device=self._device,
            Stream=SimpleNamespace(from_external=self._stream),
        )

    def RawModule(self, *, path: str) -> Any:  # noqa: N802  CuPy's name
        return SimpleNamespace(get_function=lambda symbol: FakeKernel(self, Path(path), symbol))

    def _count(self) -> int:
        if isinstance(self.devices, Exception):
            raise self.devices
        return self.devices

    def _compile(
        self, source: str, options: tuple[str, ...], *, filename: str, name_expressions: Sequence[str]
    ) -> tuple[bytes, dict[str, str]]:
        (kernel,) = name_expressions
        assert source.startswith('#include "')
        self.compiled.append((kernel, options))
        if "broken" in self.capability:
            raise CompileError("kern.cu(1): error: no such thing")
        return kernel.encode(), {kernel: f"_Z{len(kernel)}"}

    @contextmanager
    def _entered(self, index: int) -> Iterator[None]:
        before, self.device = self.device, index
        yield
        self.device = before

    def _device(self, index: int | None = None) -> Any:
        # The tests' tensors are on the CPU and have no index: they stand for a device that is not the current one.
        device = self._entered(1 if index is None else index)
        device.compute_capability = self.capability
        device.attributes = {"MaxSharedMemoryPerBlockOptin": SHARED_LIMIT}
        return device

    def _stream(self, stream: Any) -> Any:
        version, handle = stream.__cuda_stream__()
        assert version == 0
        return self._streaming(handle, self.device)

    @contextmanager
    def _streaming(self, handle: int, device: int) -> Iterator[None]:
        assert device == self.device, "CuPy refuses a stream that was made on another device"
        self.stream = handle
        yield
        self.stream = None
