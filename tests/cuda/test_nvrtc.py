"""The kernels compile at run time, too: NVRTC, without any header of the host, with the CuPy backend's own options."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers import emulator

from wrcor_ext.ops.cupy_backend import compiler, plan

# Of each kernel the instances that differ most.
KERNELS = [
    *(
        plan.correlation_plan(dtype, rows, 4096).slices_kernel(dtype)
        for dtype, rows in ((torch.float32, 64), (torch.bfloat16, 129), (torch.float64, 9), (torch.float16, 32))
    ),
    plan.merge_kernel(torch.float32),
    plan.merge_kernel(torch.float64),
    "wrcor::sign_pack<__half>",
    "wrcor::sign_count<8>",
    "wrcor::slogdet_shared<wrcor::LuTraits>",
    "wrcor::slogdet_blocked<wrcor::LuTraits>",
]


def nvrtc_library() -> Path | None:
    """NVRTC of the wheel that a CUDA torch brings along."""
    spec = importlib.util.find_spec("nvidia")
    places = (spec.submodule_search_locations or []) if spec is not None else []
    found = [path for place in places for path in sorted(Path(place).glob("*/lib/libnvrtc.so.*"))]
    return found[0] if found else None


def backend_options() -> list[str]:
    """What the backend gives to NVRTC where CuPy finds the toolkit of this machine."""
    toolkit = SimpleNamespace(get_cuda_path=lambda: str(emulator.cuda_include()[0].parent))
    return list(compiler.options(SimpleNamespace(cuda=toolkit, __file__="cupy/__init__.py")))


@pytest.mark.skipif(nvrtc_library() is None or not emulator.cuda_include(), reason="no NVRTC, or no CUDA headers")
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_compile_at_run_time(kernel):
    nvrtc = ctypes.CDLL(str(nvrtc_library()))
    program = ctypes.c_void_p()
    source = compiler.kernel_source(kernel).encode()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"wrcor.cu", 0, None, None) == 0
    assert nvrtc.nvrtcAddNameExpression(program, kernel.encode()) == 0
    options = [option.encode() for option in [*backend_options(), "-arch=sm_90"]]
    status = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    size = ctypes.c_size_t()
    assert nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)) == 0
    log = ctypes.create_string_buffer(size.value)
    assert nvrtc.nvrtcGetProgramLog(program, log) == 0
    assert status == 0, log.value.decode()
    assert "warning" not in log.value.decode()
    lowered = ctypes.c_char_p()
    assert nvrtc.nvrtcGetLoweredName(program, kernel.encode(), ctypes.byref(lowered)) == 0
    assert lowered.value
    # It is part of a file name.
    assert len(lowered.value) < 200
    assert b"/" not in lowered.value
    assert nvrtc.nvrtcDestroyProgram(ctypes.byref(program)) == 0


def test_cupys_own_compiler_takes_the_kernels(tmp_path, monkeypatch):
    cupy = pytest.importorskip("cupy", reason="no CuPy", exc_type=ImportError)
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path))
    # What CuPy would ask the device: text instead of machine code shows how values below 1.2e-38 are treated.
    monkeypatch.setattr(cupy.cuda.compiler, "_get_arch_for_options_for_nvrtc", lambda arch: ("-arch=compute_90", "ptx"))
    monkeypatch.setattr(cupy.cuda, "Device", lambda: SimpleNamespace(compute_capability="90"))
    monkeypatch.setattr(cupy, "RawModule", lambda path: SimpleNamespace(get_function=lambda symbol: (path, symbol)))
    for kernel in ("wrcor::correlation_slices<float, 64, false>", "wrcor::correlation_merge<float>"):
        path, symbol = compiler.Compiler(cupy).load(kernel)
        text = Path(path).read_text()
        assert f".entry {symbol}(" in text
        assert ".ftz" not in text
