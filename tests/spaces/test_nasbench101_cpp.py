"""The C++ tests of the search spaces, for which neither torch nor Python's headers are needed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers.commands import run_ok

CSRC = Path(__file__).resolve().parents[2] / "csrc"
COMPILER = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)


@pytest.mark.slow
@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
def test_cpp_tests_pass(tmp_path):
    sources = [
        CSRC / "tests" / "spaces_nasbench101.cpp",
        *CSRC.glob("spaces/nasbench101_*.cpp"),
        CSRC / "spaces" / "md5.cpp",
    ]
    flags = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-psabi", "-I", CSRC / "spaces"]
    run_ok(COMPILER, *flags, *sources, "-o", "tests", cwd=tmp_path)
    run_ok(tmp_path / "tests", cwd=tmp_path)
