"""The way from an op to CuPy: what is compiled and kept, how it is launched, and what is said when it fails."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from helpers import emulator
from helpers.fake_cupy import SHARED_LIMIT, FakeCupy

from wrcor_ext.errors import BackendError
from wrcor_ext.ops import reference
from wrcor_ext.ops.cupy_backend import compiler
from wrcor_ext.ops.cupy_backend.kernel_ops import KernelOps
from wrcor_ext.ops.cupy_backend.launcher import CupyLauncher

needs_emulator = pytest.mark.skipif(emulator.missing() is not None, reason=emulator.missing() or "")


@pytest.fixture
def cupy(tmp_path, monkeypatch):
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(cuda_stream=77))
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    return FakeCupy(tmp_path / "cuda")


def ops_of(cupy: FakeCupy) -> KernelOps:
    return KernelOps(CupyLauncher(cupy, compiler.Compiler(cupy)))


@needs_emulator
def test_every_op_compiles_once_and_launches_on_torchs_stream(cupy):
    ops = ops_of(cupy)
    x = torch.randn(9, 300, generator=torch.Generator().manual_seed(0))
    for _ in range(2):
        torch.testing.assert_close(ops.response_correlation(x), reference.response_correlation(x), rtol=0, atol=2e-6)
        for name in ("accumulate_correlation", "accumulate_hamming"):
            answers = []
            for module in (ops, reference):
                k, counts = torch.zeros(9, 9, dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
                getattr(module, name)(k, x, 2.0, counts)
                answers.append(k)
                assert counts.tolist() == [1, 0]
            torch.testing.assert_close(*answers, rtol=0, atol=4e-6)
    kernels = [
        "wrcor::correlation_slices<float, 16, false>",
        "wrcor::correlation_merge<float>",
        "wrcor::sign_pack<float>",
        "wrcor::sign_count<4>",
    ]
    assert [kernel for kernel, _ in cupy.compiled] == kernels
    assert {stream for _, stream in cupy.launches} == {77}
    assert [kernel for kernel, _ in cupy.launches] == 2 * [*kernels[:2], *kernels]
    assert cupy.stream is None


@needs_emulator
def test_shared_memory_is_asked_for(cupy):
    # 100 rows take 82 KB of the device's 99, 200 do not fit.
    k = torch.randn(200, 200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ops = ops_of(cupy)
    for n in (4, 100, 200):
        torch.testing.assert_close(ops.slogdet(k[:n, :n]), reference.slogdet(k[:n, :n]), rtol=1e-12, atol=1e-12)
    shared, blocked = (f"wrcor::slogdet_{kind}<wrcor::LuTraits>" for kind in ("shared", "blocked"))
    assert [kernel for kernel, _ in cupy.launches] == [shared, shared, blocked]
    assert SHARED_LIMIT == 99 * 1024


def refuse(*arguments, **options):
    raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.mark.parametrize(
    ("method", "what"),
    [("new_empty", r"\d+ bytes for the workspace"), ("contiguous", "2400 bytes for a contiguous copy of a response")],
)
def test_a_device_without_memory_leaves_everything_as_it_was(cupy, monkeypatch, method, what):
    ops = ops_of(cupy)
    k, counts = torch.zeros(2, 2, dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
    monkeypatch.setattr(torch.Tensor, method, refuse)
    for function in (ops.accumulate_correlation, ops.accumulate_hamming):
        with pytest.raises(torch.OutOfMemoryError, match=f"cannot allocate {what} on cpu; nothing was .*CUDA out of"):
            function(k, torch.ones(2, 600)[:, ::2], 1.0, counts)
    assert cupy.launches == []


def test_compiled_kernels_are_kept(cupy, tmp_path, monkeypatch):
    name = "wrcor::sign_count<8>"
    assert compiler.Compiler(cupy).load(name).name == name
    assert compiler.Compiler(cupy).load(name).name == name
    assert len(cupy.compiled) == 1
    (kept,) = (tmp_path / "cache" / "wrcor_ext").iterdir()
    assert kept.suffix == ".cubin"
    # Whatever decides the contents: device, compiler, CuPy, options, sources.
    cupy.capability = "120"
    compiler.Compiler(cupy).load(name)
    cupy.cuda.nvrtc.getVersion = lambda: (13, 1)
    compiler.Compiler(cupy).load(name)
    cupy.__version__ = "14.3.0"
    compiler.Compiler(cupy).load(name)
    monkeypatch.setattr(compiler, "_digest_of", lambda folder: "other sources")
    compiler.Compiler(cupy).load(name)
    monkeypatch.setattr(compiler, "options", lambda cupy: ("-std=c++20",))
    compiler.Compiler(cupy).load(name)
    assert len(cupy.compiled) == 6
    assert len(list(kept.parent.iterdir())) == 6


def test_the_cache_is_cupys(monkeypatch, tmp_path):
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path))
    assert compiler.cache_folder() == tmp_path / "wrcor_ext"
    monkeypatch.delenv("CUPY_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert compiler.cache_folder() == tmp_path / ".cupy" / "kernel_cache" / "wrcor_ext"


def test_options_name_the_kernels_and_the_headers(cupy, tmp_path):
    include = tmp_path / "cuda" / "include"
    assert compiler.options(cupy) == ("-std=c++17", f"-I{compiler.kernel_folder()}", f"-I{include}")
    # CUDA 13 has nv/target in a folder of its own; without one, CuPy's copy serves.
    (include / "nv" / "target").rename(include / "target")
    for folder in (tmp_path / "cuda/cupy/_core/include/cupy/_cccl/libcudacxx", include / "cccl"):
        (folder / "nv").mkdir(parents=True)
        (folder / "nv" / "target").touch()
        assert compiler.cuda_folders(cupy) == (include, folder)


def test_headers_of_the_wheels_for_cuda_12(cupy, tmp_path, monkeypatch):
    cupy.toolkit = None
    wheels = SimpleNamespace(submodule_search_locations=[str(tmp_path / "nvidia")])
    monkeypatch.setattr(compiler, "find_spec", {"nvidia": wheels}.__getitem__)
    include = tmp_path / "nvidia" / "cuda_runtime" / "include"
    (include / "nv").mkdir(parents=True)
    for header in ("cuda_fp16.h", "nv/target"):
        (include / header).touch()
    assert compiler.cuda_folders(cupy) == (include,)


def test_without_headers_there_is_no_compiler(cupy, tmp_path, monkeypatch):
    monkeypatch.setattr(compiler, "find_spec", lambda name: None)
    (tmp_path / "cuda" / "include" / "cuda_fp16.h").unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no cuda_fp16\.h"):
        compiler.Compiler(cupy)
    cupy.toolkit = None
    with pytest.raises(FileNotFoundError, match=r"there is no cuda_fp16\.h"):
        compiler.Compiler(cupy)


def test_a_kernel_that_does_not_compile(cupy, tmp_path):
    cupy.capability = "broken"
    with pytest.raises(BackendError, match=r"NVRTC does not compile wrcor::sign_count<8>: kern.cu\(1\): error"):
        compiler.Compiler(cupy).load("wrcor::sign_count<8>")
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written(cupy, tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(BackendError, match=r"cannot be kept in .*cache/wrcor_ext \(CUPY_CACHE_DIR\)"):
        compiler.Compiler(cupy).load("wrcor::sign_count<8>")
