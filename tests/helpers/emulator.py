"""The CUDA kernels as a backend of the op tests, run on the CPU by the emulator in `csrc/emulator`.

The functions have the signatures of `wrcor_ext.ops`. The library is built in `build/emulator` when first asked for and
rebuilt when a source has changed; `missing()` says what it takes that is not there.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from wrcor_ext.ops.checks import check_accumulator, check_group, check_response, check_square

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "emulator"

SHARED_LIMIT = 227 * 1024
"""Shared memory of a block on H100, in bytes: matrices up to N = 169 are eliminated there."""

_ELEMENTS = {torch.float32: 0, torch.float64: 1, torch.float16: 2, torch.bfloat16: 3}


@functools.cache
def cuda_include() -> tuple[Path, ...]:
    """The folders with CUDA's headers: those of nvcc, or of the nvidia-cuda-* wheels; empty if there are none."""
    folders: list[Path] = []
    nvcc = shutil.which("nvcc")
    if nvcc is not None:
        # nvcc may be a script somewhere else: it says itself where its headers are.
        said = subprocess.run(
            [nvcc, "--dryrun", "-E", "-x", "cu", os.devnull], capture_output=True, text=True, check=False
        )
        folders += [Path(folder) for folder in re.findall(r'"-I([^"]+)"', said.stderr)]
    wheels = importlib.util.find_spec("nvidia")
    for place in (wheels.submodule_search_locations or []) if wheels is not None else []:
        folders += sorted(Path(place).glob("cu*/include"))
    for folder in folders:
        # The second one is of the wheel nvidia-cuda-crt, the third one of nvidia-cuda-cccl.
        targets = [target for target in (folder, folder / "cccl") if (target / "nv" / "target").is_file()]
        if (folder / "cuda_runtime_api.h").is_file() and (folder / "crt" / "host_defines.h").is_file() and targets:
            return tuple(dict.fromkeys([folder, targets[0]]))
    return ()


def missing() -> str | None:
    """Why the emulator cannot be built here, or None."""
    if sys.platform != "linux":
        return "the emulator of CUDA kernels is for Linux"
    for tool in ("cmake", "g++"):
        if shutil.which(tool) is None:
            return f"no {tool} for the emulator of CUDA kernels"
    if not cuda_include():
        return "no CUDA headers: neither nvcc nor the wheels nvidia-cuda-runtime, nvidia-cuda-crt and nvidia-cuda-cccl"
    return None


def build(target: str = "all") -> Path:
    """Builds the library (`wrcor_emulated`) or all tests (`all`) and returns the folder; says why if that fails."""
    BUILD.mkdir(parents=True, exist_ok=True)
    generator = ["-G", "Ninja"] if shutil.which("ninja") and not (BUILD / "Makefile").exists() else []
    include = ";".join(map(str, cuda_include()))
    with _locked(BUILD / ".lock"):
        _run("cmake", "-S", ROOT / "csrc" / "tests", "-B", BUILD, *generator, "-DCMAKE_CXX_COMPILER=g++",
             f"-DWRCOR_CUDA_INCLUDE={include}")  # fmt: skip
        _run("cmake", "--build", BUILD, "--target", target, "--parallel", str(min(4, os.cpu_count() or 1)))
    return BUILD


def set_order(order: str) -> None:
    """The order of threads and blocks from now on: forward, reverse, rotated, or random:SEED."""
    _check(_library().wrcor_emulated_set_order(order.encode()))


@contextmanager
def memory_limit(bytes_: int) -> Iterator[None]:
    """A device without room for a workspace of more than that."""
    _library().wrcor_emulated_set_memory_limit(bytes_)
    try:
        yield
    finally:
        _library().wrcor_emulated_set_memory_limit(2**63 - 1)


def response_correlation(x: Tensor) -> Tensor:
    check_response(x)
    out = torch.empty(x.shape[0], x.shape[0], dtype=torch.float64)
    rows = _rows(x)
    _check(
        _library().wrcor_emulated_response_correlation(_ELEMENTS[x.dtype], len(rows), _inputs([rows]), _doubles(out))
    )
    return out


def accumulate_correlation(k: Tensor, x: Tensor, weight: float, counts: Tensor) -> None:
    check_accumulator(k, x, counts)
    rows = _rows(x)
    _check(
        _library().wrcor_emulated_accumulate_correlation(
            _ELEMENTS[x.dtype],
            len(rows),
            _inputs([rows]),
            1,
            _numbers([weight]),
            1,
            _doubles(k),
            _integers(counts),
            None,
        )
    )


def accumulate_correlation_group(k: Tensor, xs: Sequence[Tensor], weights: Sequence[float], used: Tensor) -> None:
    check_group(k, xs, weights, used)
    responses = [_rows(x) for x in xs]
    _check(
        _library().wrcor_emulated_accumulate_correlation(
            _ELEMENTS[xs[0].dtype], len(xs[0]), _inputs(responses), len(xs), _numbers(weights), len(k), _doubles(k),
            None, _integers(used),
        )
    )  # fmt: skip


def accumulate_hamming(k: Tensor, x: Tensor, weight: float, counts: Tensor) -> None:
    check_accumulator(k, x, counts)
    rows = _rows(x)
    _check(
        _library().wrcor_emulated_accumulate_hamming(
            _ELEMENTS[x.dtype], len(rows), _inputs([rows]), weight, _doubles(k), _integers(counts)
        )
    )


def slogdet(k: Tensor) -> tuple[Tensor, Tensor]:
    check_square(k)
    n = k.shape[-1]
    matrices = k.detach().contiguous()
    sign = torch.empty(k.shape[:-2], dtype=torch.float64)
    logabsdet = torch.empty_like(sign)
    _check(
        _library().wrcor_emulated_slogdet(
            _doubles(matrices), sign.numel(), n, SHARED_LIMIT, _doubles(sign), _doubles(logabsdet)
        )
    )
    return sign, logabsdet


class _ResponseInput(ctypes.Structure):
    """`ResponseInput` of csrc/cuda/launch.cuh."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("features", ctypes.c_longlong),
        ("stride", ctypes.c_longlong),
    )


@functools.cache
def _library() -> ctypes.CDLL:
    """The built library with its functions declared, as in csrc/emulator/python.h."""
    library = ctypes.CDLL(str(build("wrcor_emulated") / "libwrcor_emulated.so"))
    size, number, count = ctypes.c_longlong, ctypes.c_double, ctypes.c_int
    doubles, integers = ctypes.POINTER(number), ctypes.POINTER(size)
    response = ctypes.POINTER(_ResponseInput)
    signatures = {
        "set_order": [ctypes.c_char_p],
        "set_memory_limit": [size],
        "response_correlation": [count, size, response, doubles],
        "accumulate_correlation": [count, size, response, size, doubles, count, doubles, integers, integers],
        "accumulate_hamming": [count, size, response, number, doubles, integers],
        "slogdet": [doubles, size, size, size, doubles, doubles],
    }
    for name, arguments in signatures.items():
        function = getattr(library, f"wrcor_emulated_{name}")
        function.argtypes, function.restype = arguments, ctypes.c_char_p
    library.wrcor_emulated_set_memory_limit.restype = None
    return library


def _rows(x: Tensor) -> Tensor:
    """[N, D] with contiguous rows; a view where `x` allows one, so that strides and odd addresses reach the kernels."""
    rows = x.detach().flatten(1)
    return rows if rows.stride(1) == 1 or rows.shape[1] == 1 else rows.contiguous()


def _inputs(responses: Sequence[Tensor]) -> ctypes.Array[_ResponseInput]:
    return (_ResponseInput * len(responses))(*((x.data_ptr(), x.shape[1], x.stride(0)) for x in responses))


def _numbers(values: Sequence[float]) -> ctypes.Array[ctypes.c_double]:
    return (ctypes.c_double * len(values))(*values)


def _doubles(tensor: Tensor) -> ctypes._Pointer[ctypes.c_double]:
    return ctypes.cast(tensor.data_ptr(), ctypes.POINTER(ctypes.c_double))


def _integers(tensor: Tensor) -> ctypes._Pointer[ctypes.c_longlong]:
    return ctypes.cast(tensor.data_ptr(), ctypes.POINTER(ctypes.c_longlong))


def _check(complaint: bytes | None) -> None:
    if complaint is not None:
        raise RuntimeError(complaint.decode())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One builder at a time, whoever else runs the tests in this tree."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str | Path) -> None:
    line = [str(word) for word in command]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(line)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
