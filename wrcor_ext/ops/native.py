"""Finds and loads the compiled libraries, says which instruction sets they have, and guards the fall back to torch.

`wrcor_ext/_C.so` and `wrcor_ext/_C_cuda.so` are plain shared libraries: C++ registers kernels for the schemas of
`wrcor_ext.ops.registration`, and two C functions of the former, read with ctypes, name the instruction sets.
Where the latter is not loaded, CuPy may compile the same kernels at run time (`wrcor_ext.ops.cupy_backend`).
`WRCOR_EXT_REQUIRE=native|cuda` makes falling back to torch an error; `WRCOR_EXT_ISA=baseline|avx2|avx512` overrides the
choice of instruction set (for tests and measurements).
"""

from __future__ import annotations

import ctypes
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

from wrcor_ext.errors import BackendError, InputError
from wrcor_ext.ops import cupy_backend

CPU_LIBRARY = Path(__file__).resolve().parent.parent / "_C.so"
CUDA_LIBRARY = CPU_LIBRARY.with_name("_C_cuda.so")
REQUIRE_VARIABLE = "WRCOR_EXT_REQUIRE"
ISA_VARIABLE = "WRCOR_EXT_ISA"


@dataclass(frozen=True)
class NativeLibrary:
    """A loaded compiled library.

    Attributes:
        path: the file.
        instruction_sets: what it was compiled for, least capable first.
        instruction_set: the one in use on this processor.
    """

    path: str
    instruction_sets: tuple[str, ...]
    instruction_set: str


@dataclass(frozen=True)
class LibraryReport:
    """A compiled library, loaded or not.

    Attributes:
        name: of the file, `_C.so`.
        path: of the file; empty where it was not built.
        loaded: whether it answers in this process.
        reason: one sentence: that it is loaded, or why not.
        compiled_for: instruction sets (`avx2`) or GPU architectures (`sm_90`; `compute_120` is code that newer GPUs
            translate), as far as a library that is not loaded tells; empty for one that was compiled for none.
    """

    name: str
    path: str
    loaded: bool
    reason: str
    compiled_for: tuple[str, ...] = ()


@dataclass(frozen=True)
class _State:
    library: NativeLibrary | None
    reason: str


@dataclass(frozen=True)
class _CudaState:
    loaded: bool
    reason: str
    architectures: tuple[str, ...] = ()


def native_library() -> NativeLibrary | None:
    """The loaded CPU library, or None where the pure-torch reference answers (`native_reason` says why)."""
    return _state.library


def native_reason() -> str:
    """One sentence: why the native CPU kernels answer, or why they do not."""
    return _state.reason


def libraries() -> tuple[LibraryReport, ...]:
    """The compiled libraries with ops, loaded or not."""
    cpu = _state.library
    sets = cpu.instruction_sets if cpu is not None else ()
    return (
        _report(CPU_LIBRARY, cpu is not None, _state.reason, sets),
        _report(CUDA_LIBRARY, _cuda.loaded, _cuda.reason, _cuda.architectures),
    )


def _report(file: Path, loaded: bool, reason: str, compiled_for: tuple[str, ...]) -> LibraryReport:
    return LibraryReport(file.name, str(file) if file.is_file() else "", loaded, reason, compiled_for)


def cuda_loaded() -> bool:
    """Whether the CUDA library is loaded; `cuda_reason` says why, or why not."""
    return _cuda.loaded


def cuda_backend() -> str:
    """Who answers for CUDA tensors: "native", "cupy" or "torch"; imports CuPy where it decides."""
    if _cuda.loaded:
        return "native"
    return "cupy" if _cupy_decides() and cupy_backend.find().ops is not None else "torch"


def cuda_reason() -> str:
    """One sentence: why `cuda_backend()` answers for CUDA tensors; imports CuPy where it decides."""
    if not _cupy_decides():
        return _cuda.reason
    return f"{_cuda.reason.removesuffix('.')}; {cupy_backend.find().reason}."


def cupy_may_answer() -> bool:
    """Whether CUDA tensors are CuPy's if it turns out to be usable; does not import it."""
    return _cupy_decides() and cupy_backend.installed()


def _cupy_decides() -> bool:
    return not _cuda.loaded and torch.version.cuda is not None


def check_required() -> None:
    """Raises BackendError if `WRCOR_EXT_REQUIRE` asks for kernels that are not there.

    CuPy satisfies `cuda`: it runs the same kernels.
    """
    required = os.environ.get(REQUIRE_VARIABLE, "")
    if required not in ("", "native", "cuda"):
        raise InputError(f"{REQUIRE_VARIABLE} must be 'native' or 'cuda', not {required!r}.")
    if required == "cuda" and cuda_backend() == "torch":
        raise BackendError(f"{REQUIRE_VARIABLE}=cuda, but {cuda_reason()}")
    if required == "native" and _state.library is None:
        raise BackendError(f"{REQUIRE_VARIABLE}=native, but {_state.reason}")


def announce_fallback(device: str) -> None:
    """Called whenever the reference answers for a device type: an error under `WRCOR_EXT_REQUIRE`, else one warning."""
    if os.environ.get(REQUIRE_VARIABLE):
        check_required()
        raise BackendError(f"{REQUIRE_VARIABLE}={os.environ[REQUIRE_VARIABLE]}, but no native kernel serves this call.")
    if device not in _announced:
        _announced.add(device)
        reason = cuda_reason() if device == "cuda" else _state.reason
        warnings.warn(
            f"wrcor_ext uses its slower pure-torch kernels: {reason} "
            "`python -m wrcor_ext.info` shows which backend answers each op.",
            RuntimeWarning,
            stacklevel=2,
        )


def load() -> None:
    """Loads the compiled libraries; called once, after the schemas are defined."""
    global _state, _cuda
    _state = _load()
    _cuda = _load_cuda()


def _load() -> _State:
    if not CPU_LIBRARY.is_file():
        return _State(None, f"the compiled library {CPU_LIBRARY.name} was not built.")
    try:
        torch.ops.load_library(str(CPU_LIBRARY))
        handle = ctypes.CDLL(str(CPU_LIBRARY))
    except OSError as error:
        # Built for another platform or against a torch that lacks a symbol: the reference still answers.
        return _State(None, f"the compiled library {CPU_LIBRARY.name} does not load: {error}.")
    compiled = _texts(handle, "wrcor_ext_instruction_sets")
    wanted = os.environ.get(ISA_VARIABLE, compiled[0])
    if wanted not in compiled:
        choices = ", ".join(repr(name) for name in compiled[:-1]) + f" or {compiled[-1]!r}"
        raise InputError(f"{ISA_VARIABLE} must be {choices}, not {wanted!r}.")
    (in_use,) = _texts(handle, "wrcor_ext_instruction_set")
    return _State(NativeLibrary(str(CPU_LIBRARY), compiled, in_use), f"{CPU_LIBRARY.name} is loaded ({in_use}).")


def _load_cuda() -> _CudaState:
    if not CUDA_LIBRARY.is_file():
        return _CudaState(False, f"this build has no CUDA library ({CUDA_LIBRARY.name}).")
    if torch.version.cuda is None:
        return _CudaState(False, f"this torch ({torch.__version__}) is built without CUDA.")
    try:
        torch.ops.load_library(str(CUDA_LIBRARY))
        handle = ctypes.CDLL(str(CUDA_LIBRARY))
    except OSError as error:
        # Built for another platform or against a torch that lacks a symbol: the reference still answers.
        return _CudaState(False, f"the CUDA library {CUDA_LIBRARY.name} does not load: {error}.")
    return _CudaState(True, f"{CUDA_LIBRARY.name} is loaded.", _texts(handle, "wrcor_ext_cuda_architectures"))


def _texts(handle: ctypes.CDLL, name: str) -> tuple[str, ...]:
    """What a function of the library lists; nothing if an earlier build lacks it."""
    function = getattr(handle, name, None)
    if function is None:
        return ()
    function.argtypes = []
    function.restype = ctypes.c_char_p
    value: bytes = function()
    return tuple(value.decode("ascii").split(","))


_announced: set[str] = set()
_state = _State(None, f"the compiled library {CPU_LIBRARY.name} is not loaded yet.")
_cuda = _CudaState(False, f"the CUDA library {CUDA_LIBRARY.name} is not loaded yet.")
