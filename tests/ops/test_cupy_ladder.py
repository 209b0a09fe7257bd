"""Who answers for CUDA tensors where no CUDA library is loaded: CuPy if it can, torch if not; and who says so."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.fake_cupy import FakeCupy

from wrcor_ext import ops
from wrcor_ext.errors import BackendError
from wrcor_ext.ops import cupy_backend, native, registration
from wrcor_ext.ops.cupy_backend import compiler, kernel_ops

PACKAGE = Path(ops.__file__).parent.parent
MISSING = "this build has no CUDA library (_C_cuda.so)"


@pytest.fixture
def no_library(monkeypatch):
    """A CUDA torch without the CUDA library; what is found out about CuPy is forgotten afterwards."""
    forget = cupy_backend.find.cache_clear
    monkeypatch.setattr(native, "_cuda", native._CudaState(False, f"{MISSING}."))
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    forget()
    yield
    forget()


@pytest.fixture
def cupy(no_library, monkeypatch, tmp_path):
    """An installed CuPy."""
    fake = FakeCupy(tmp_path / "cuda")
    monkeypatch.setattr(compiler, "find_spec", lambda name: None)
    monkeypatch.setattr(cupy_backend, "installed", lambda: True)
    monkeypatch.setattr(importlib, "import_module", {"cupy": fake}.__getitem__)
    return fake


def test_usable(cupy, monkeypatch):
    assert native.cuda_backend() == "cupy"
    assert native.cuda_reason() == f"{MISSING}; CuPy 14.2.0 compiles the kernels for the device."
    # It runs the same kernels: that is no falling back.
    monkeypatch.setenv("WRCOR_EXT_REQUIRE", "cuda")
    native.check_required()


def old(cupy: FakeCupy) -> None:
    cupy.__version__ = "13.6.0"


def no_device(cupy: FakeCupy) -> None:
    cupy.devices = 0


def no_driver(cupy: FakeCupy) -> None:
    cupy.devices = RuntimeError("cudaErrorInsufficientDriver")


def no_compiler(cupy: FakeCupy) -> None:
    del cupy.cuda.nvrtc.getVersion


def no_headers(cupy: FakeCupy) -> None:
    cupy.toolkit = None


UNUSABLE = {
    "CuPy 13.6.0 is older than 14": old,
    "CuPy 14.2.0 finds no device": no_device,
    "CuPy 14.2.0 cannot use the device (RuntimeError: cudaErrorInsufficientDriver)": no_driver,
    "CuPy 14.2.0 cannot use the device (AttributeError: 'types.SimpleNamespace' object has no attribute 'getVersion')":
        no_compiler,
    "CuPy 14.2.0 cannot compile the kernels: there is no cuda_fp16.h "
    "(`pip install 'cupy-cuda13x[ctk]'` brings CUDA's headers)": no_headers,
}  # fmt: skip


@pytest.mark.parametrize(("reason", "spoil"), UNUSABLE.items(), ids=[spoil.__name__ for spoil in UNUSABLE.values()])
def test_unusable(cupy, monkeypatch, reason, spoil):
    spoil(cupy)
    assert native.cuda_backend() == "torch"
    assert native.cuda_reason() == f"{MISSING}; {reason}."
    monkeypatch.setenv("WRCOR_EXT_REQUIRE", "cuda")
    with pytest.raises(BackendError) as error:
        native.check_required()
    assert str(error.value) == f"WRCOR_EXT_REQUIRE=cuda, but {MISSING}; {reason}."


@pytest.mark.parametrize("error", [ImportError("libnvrtc.so is missing"), TypeError("numpy is\ntoo new")])
def test_broken_import(cupy, monkeypatch, error):
    def fail(name):
        raise error

    monkeypatch.setattr(importlib, "import_module", fail)
    assert native.cuda_backend() == "torch"
    said = " ".join(str(error).split())
    assert native.cuda_reason() == f"{MISSING}; CuPy cannot be imported ({type(error).__name__}: {said})."


def test_not_installed(no_library, monkeypatch):
    monkeypatch.setattr(cupy_backend, "installed", lambda: False)
    assert not native.cupy_may_answer()
    assert native.cuda_backend() == "torch"
    assert native.cuda_reason() == f"{MISSING}; CuPy is not installed."


def test_torch_without_cuda_does_not_ask_for_cupy(cupy, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(cupy_backend, "find", None)
    assert not native.cupy_may_answer()
    assert (native.cuda_backend(), native.cuda_reason()) == ("torch", f"{MISSING}.")


def test_library_comes_first(cupy, monkeypatch):
    monkeypatch.setattr(native, "_cuda", native._CudaState(True, "_C_cuda.so is loaded."))
    monkeypatch.setattr(cupy_backend, "find", None)
    assert not native.cupy_may_answer()
    assert (native.cuda_backend(), native.cuda_reason()) == ("native", "_C_cuda.so is loaded.")


def test_call_goes_to_cupy_or_falls_back(cupy, monkeypatch):
    called = []
    monkeypatch.setattr(kernel_ops.KernelOps, "slogdet", lambda self, k: called.append("cupy"))
    answer = registration._by_cupy("slogdet", lambda k: called.append("torch"))
    k = torch.eye(2, dtype=torch.float64)
    answer(k)
    cupy_backend.find.cache_clear()
    cupy.devices = 0
    answer(k)
    assert called == ["cupy", "torch"]


# What a process with an installed package does; `FAKE` is a CuPy that notices when it is imported.
FAKE = 'print("imported"); __version__ = "13.0.0"'
PROCESS = """
import torch
torch.version.cuda = "13.0"
from wrcor_ext import ops
print(torch._C._dispatch_has_kernel_for_dispatch_key("wrcor_ext::slogdet", "CUDA"))
k = torch.eye(3, dtype=torch.float64)
print(ops.slogdet(k)[0].item())
keys = torch._C.DispatchKeySet(torch._C.DispatchKey.CUDA)
print(torch.ops.wrcor_ext.slogdet.default.redispatch(keys, k)[0].item())
print(ops.backends()[1].backend)
"""


def process(tmp_path: Path, cupy: str | None) -> subprocess.CompletedProcess[str]:
    """Runs `PROCESS` with a copy of the ops that nothing is compiled for."""
    shutil.copytree(PACKAGE / "ops", tmp_path / "wrcor_ext" / "ops", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE / "errors.py", tmp_path / "wrcor_ext")
    (tmp_path / "wrcor_ext" / "__init__.py").touch()
    if cupy is not None:
        (tmp_path / "cupy").mkdir()
        (tmp_path / "cupy" / "__init__.py").write_text(cupy)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WRCOR_EXT_")}
    command = [sys.executable, "-W", "ignore", "-c", PROCESS]
    environment = clean | {"PYTHONPATH": str(tmp_path)}
    return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_cupy_is_registered_at_import_and_imported_when_a_cuda_tensor_comes(tmp_path):
    done = process(tmp_path, FAKE)
    assert done.returncode == 0, done.stderr
    # Registered; a CPU tensor does not import it; what comes by the CUDA key does, and this one falls back.
    assert done.stdout.split() == ["True", "1.0", "imported", "1.0", "torch"]


def test_a_cupy_that_breaks_falls_back(tmp_path):
    done = process(tmp_path, "raise OSError('no libcuda')")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "1.0", "1.0", "torch"]
