"""Compiles kernels by NVRTC through CuPy, and keeps what it has compiled on disk.

CuPy's `RawModule(code=...)` would do both, but it adds `-ftz=true` behind the caller's options: float32 and bfloat16
values below 1.2e-38 would become zero, and a row of such values would have no correlation. Nor does its cache see that
an included file has changed. Hence CuPy's compiler is called here, and `RawModule(path=...)` loads the result.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from wrcor_ext.errors import BackendError

_PACKAGE = Path(__file__).resolve().parents[2]
_FILES = {
    "correlation_slices": "correlation.cuh",
    "correlation_merge": "correlation_merge.cuh",
    "sign_pack": "hamming.cuh",
    "sign_count": "hamming.cuh",
    "slogdet_shared": "slogdet.cuh",
    "slogdet_blocked": "slogdet.cuh",
}
"""Kernel -> the file that has it."""


def kernel_folder() -> Path:
    """The `.cuh` files: beside the modules of an installed package, in `csrc` of a source tree.

    Raises:
        FileNotFoundError: neither is there.
    """
    for folder in (_PACKAGE / "kernels", _PACKAGE.parent / "csrc" / "kernels"):
        if (folder / "platform.cuh").is_file():
            return folder
    raise FileNotFoundError("their sources are not installed")


def kernel_source(kernel: str) -> str:
    """The program that NVRTC is given for `wrcor::name<arguments>`."""
    return f'#include "{_FILES[kernel.partition("<")[0].removeprefix("wrcor::")]}"\n'


def cuda_folders(cupy: ModuleType) -> tuple[Path, ...]:
    """Where CUDA's headers are: in the toolkit, or the wheels, that CuPy takes NVRTC from.

    Raises:
        FileNotFoundError: there are no headers.
    """
    for include in _include_folders(cupy):
        # cuda_fp16.h includes nv/target, which CUDA 13 keeps in a folder of its own. CuPy brings a copy.
        bundled = Path(str(cupy.__file__)).parent / "_core/include/cupy/_cccl/libcudacxx"
        for folder in (include, include / "cccl", bundled):
            if (include / "cuda_fp16.h").is_file() and (folder / "nv" / "target").is_file():
                return tuple(dict.fromkeys((include, folder)))
    raise FileNotFoundError("there is no cuda_fp16.h (`pip install 'cupy-cuda13x[ctk]'` brings CUDA's headers)")


def _include_folders(cupy: ModuleType) -> Iterator[Path]:
    toolkit = cupy.cuda.get_cuda_path()  # a toolkit, or the folder of the wheels for CUDA 13
    if toolkit is not None:
        yield Path(toolkit) / "include"
    # The wheels for CUDA 12 have a folder each.
    wheels = find_spec("nvidia")
    for place in (wheels.submodule_search_locations or ()) if wheels is not None else ():
        yield Path(place) / "cuda_runtime" / "include"


def options(cupy: ModuleType) -> tuple[str, ...]:
    """Options of NVRTC; CuPy adds the architecture."""
    return ("-std=c++17", f"-I{kernel_folder()}", *(f"-I{folder}" for folder in cuda_folders(cupy)))


class Compiler:
    """Kernels of one CuPy by name.

    Raises:
        FileNotFoundError: the kernels' sources or CUDA's headers are missing.
    """

    def __init__(self, cupy: ModuleType) -> None:
        self._cupy = cupy
        self._options = options(cupy)
        self._sources = _digest_of(kernel_folder())

    def load(self, kernel: str) -> Any:
        """The `cupy.RawKernel` for the current device, compiled or found on disk.

        Raises:
            BackendError: the kernel does not compile, or its file cannot be written.
        """
        path = self._find(kernel)
        symbol = path.stem.partition("-")[2]
        return self._cupy.RawModule(path=str(path)).get_function(symbol)

    def _find(self, kernel: str) -> Path:
        """`<digest>-<symbol>.cubin`: the digest is of whatever decides the contents, the symbol is the mangled name."""
        cuda = self._cupy.cuda
        decides = (
            self._cupy.__version__, cuda.nvrtc.getVersion(), cuda.Device().compute_capability, self._options,
            self._sources, kernel,
        )  # fmt: skip
        digest = hashlib.sha256(repr(decides).encode()).hexdigest()[:32]
        folder = cache_folder()
        for path in folder.glob(f"{digest}-*.cubin"):
            return path
        try:
            binary, symbols = cuda.compiler.compile_using_nvrtc(
                kernel_source(kernel), self._options, filename="wrcor.cu", name_expressions=(kernel,)
            )
        except cuda.compiler.CompileException as error:
            raise BackendError(f"NVRTC does not compile {kernel}: {error}") from error
        path = folder / f"{digest}-{symbols[kernel]}.cubin"
        try:
            _write(path, binary)
        except OSError as error:
            raise BackendError(f"a compiled kernel cannot be kept in {folder} (CUPY_CACHE_DIR): {error}") from error
        return path


def cache_folder() -> Path:
    """Where compiled kernels are kept: a folder of CuPy's own cache, which CUPY_CACHE_DIR moves."""
    return Path(os.environ.get("CUPY_CACHE_DIR") or Path.home() / ".cupy" / "kernel_cache") / "wrcor_ext"


@functools.cache
def _digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.cuh")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    """All or nothing, whoever else writes the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
