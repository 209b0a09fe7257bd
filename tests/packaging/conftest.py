"""Builds what users install: an sdist, an environment that has torch and nothing else, and there a wheel."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.commands import run_ok

REPOSITORY = Path(__file__).resolve().parents[2]
# Not the version that the other tests run with: one compiled library must serve both.
OTHER_TORCH = "torch==2.13.0"


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sdist")
    # Nothing is compiled yet: CMake and Ninja, which the dependency check would ask for, need not be here.
    options = ["--sdist", "--no-isolation", "--skip-dependency-check", "--outdir", out]
    run_ok(sys.executable, "-m", "build", *options, REPOSITORY, cwd=out)
    (archive,) = out.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="session")
def other_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment that has torch, of another version than the development one."""
    folder = tmp_path_factory.mktemp("other") / "venv"
    run_ok(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    run_ok(python, "-m", "pip", "install", "--quiet", "--no-compile", OTHER_TORCH, cwd=folder.parent)
    return python


@pytest.fixture(scope="session")
def wheel(sdist: Path, other_python: Path) -> Path:
    """The wheel that the other environment's own pip builds, with build isolation, out of the sdist alone."""
    out = sdist.parent / "wheel"
    arguments = ["wheel", "--no-deps", "--wheel-dir", out, sdist]
    # One architecture: all of them take minutes.
    run_ok(other_python, "-m", "pip", *arguments, cwd=sdist.parent, WRCOR_NATIVE="1", TORCH_CUDA_ARCH_LIST="90")
    (archive,) = out.glob("*.whl")
    return archive
