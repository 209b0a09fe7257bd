"""The kernels compile at run time, too: NVRTC, without any header of the host, as CuPy's RawModule uses it."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path

import pytest
from helpers import emulator

ROOT = Path(__file__).resolve().parents[2]

# What a caller instantiates by name.
KERNELS = [
    "wrcor::correlation_slices<float, 64, false>",
    "wrcor::correlation_slices<__nv_bfloat16, 64, true>",
    "wrcor::correlation_slices<double, 16, false>",
    "wrcor::correlation_merge<float>",
    "wrcor::sign_pack<__half>",
    "wrcor::sign_count<8>",
    "wrcor::slogdet_shared<wrcor::LuTraits>",
    "wrcor::slogdet_blocked<wrcor::LuTraits>",
]

SOURCE = b"""
#include "kernels/correlation.cuh"
#include "kernels/correlation_merge.cuh"
#include "kernels/hamming.cuh"
#include "kernels/slogdet.cuh"
"""


def nvrtc_library() -> Path | None:
    """NVRTC of the wheel that a CUDA torch brings along."""
    spec = importlib.util.find_spec("nvidia")
    places = (spec.submodule_search_locations or []) if spec is not None else []
    found = [path for place in places for path in sorted(Path(place).glob("*/lib/libnvrtc.so.*"))]
    return found[0] if found else None


@pytest.mark.skipif(nvrtc_library() is None or not emulator.cuda_include(), reason="no NVRTC, or no CUDA headers")
def test_kernels_compile_at_run_time():
    nvrtc = ctypes.CDLL(str(nvrtc_library()))
    program = ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), SOURCE, b"wrcor.cu", 0, None, None) == 0
    for kernel in KERNELS:
        assert nvrtc.nvrtcAddNameExpression(program, kernel.encode()) == 0
    includes = [ROOT / "csrc", *emulator.cuda_include()]
    options = ["--std=c++17", "--gpu-architecture=compute_90", *(f"-I{folder}" for folder in includes)]
    encoded = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
    status = nvrtc.nvrtcCompileProgram(program, len(options), encoded)
    size = ctypes.c_size_t()
    assert nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)) == 0
    log = ctypes.create_string_buffer(size.value)
    assert nvrtc.nvrtcGetProgramLog(program, log) == 0
    assert status == 0, log.value.decode()
    assert "warning" not in log.value.decode()
    for kernel in KERNELS:
        lowered = ctypes.c_char_p()
        assert nvrtc.nvrtcGetLoweredName(program, kernel.encode(), ctypes.byref(lowered)) == 0
        assert lowered.value
    assert nvrtc.nvrtcDestroyProgram(ctypes.byref(program)) == 0
