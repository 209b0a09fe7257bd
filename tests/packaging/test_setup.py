"""How `setup.py` decides what to compile against and with what."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SETUP = Path(__file__).resolve().parents[2] / "setup.py"


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wrcor_setup", SETUP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fake_torch(folder: Path, version: str, *, headers: bool = True) -> Path:
    (folder / "torch").mkdir(parents=True)
    (folder / "torch/__init__.py").write_text("raise RuntimeError('a build must not import torch')")
    (folder / "torch/version.py").write_text(f"__version__ = '{version}'\ndebug = False\n")
    if headers:
        (folder / "torch/include/torch/csrc/stable").mkdir(parents=True)
        (folder / "torch/include/torch/csrc/stable/library.h").touch()
    return folder / "torch"


@pytest.mark.parametrize("version", ["2.10.0", "2.14.1+cu130", "3.0.0a0+git12"])
def test_torch_named_by_the_user(
    recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    folder = fake_torch(tmp_path, version)
    monkeypatch.setenv("WRCOR_TORCH_DIR", str(folder))
    assert recipe.torch_folder() == folder


@pytest.mark.parametrize(
    ("version", "headers", "reason"),
    [("2.9.1+cpu", True, r"torch 2\.9\.1\+cpu is older than 2\.10"), ("2.10.0", False, "without its C\\+\\+ headers")],
)
def test_unusable_torch(
    recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, headers: bool, reason: str
) -> None:
    monkeypatch.setenv("WRCOR_TORCH_DIR", str(fake_torch(tmp_path, version, headers=headers)))
    with pytest.raises(recipe.NotBuildableError, match=reason):
        recipe.torch_folder()


def test_folder_that_is_no_torch(recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRCOR_TORCH_DIR", str(tmp_path))
    with pytest.raises(recipe.NotBuildableError, match="is not a torch package"):
        recipe.torch_folder()


def test_torch_hidden_by_build_isolation(recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fake_torch(tmp_path, "2.12.0")
    monkeypatch.delenv("WRCOR_TORCH_DIR", raising=False)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr("site.getsitepackages", lambda: [str(tmp_path)])
    assert recipe.torch_folder() == folder
    monkeypatch.setattr("site.getsitepackages", list)
    monkeypatch.setattr("site.getusersitepackages", lambda: str(tmp_path / "user"))
    with pytest.raises(recipe.NotBuildableError, match="no torch"):
        recipe.torch_folder()


def test_compiler_is_what_cxx_and_path_say(recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(recipe.NotBuildableError, match=r"looked for c\+\+, g\+\+, clang\+\+"):
        recipe.compiler()
    for name in ("g++", "mine"):
        (tmp_path / name).touch(mode=0o755)
    assert recipe.compiler() == str(tmp_path / "g++")
    monkeypatch.setenv("CXX", "mine -m64")
    assert recipe.compiler() == f"{tmp_path / 'mine'};-m64"
    monkeypatch.setenv("CXX", "missing")
    with pytest.raises(recipe.NotBuildableError, match="looked for missing"):
        recipe.compiler()
