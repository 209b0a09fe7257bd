"""`make gpu`: refuses without a GPU, and plans what it would do with one."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import gpu
import pytest
import torch
from gpu import Step
from helpers.commands import run

ROOT = Path(__file__).resolve().parents[2]


def test_without_a_gpu_make_says_so_and_builds_nothing(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("no make")
    # A torch that takes no seconds to import.
    (tmp_path / "torch.py").write_text(
        "from types import SimpleNamespace\n__version__ = '2.99'\ncuda = SimpleNamespace(is_available=lambda: False)\n"
    )
    before = built()
    done = run("make", "--no-print-directory", "gpu", f"PYTHON={sys.executable}", cwd=ROOT, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == ""
    said, make = done.stderr.splitlines()
    assert said == "make gpu: torch 2.99 sees no GPU here"
    assert re.match(r"make(\[\d+\])?: \*\*\*", make)  # numbered below `make test`
    assert built() == before


def built():
    return {path: path.stat().st_mtime_ns for path in (ROOT / "wrcor_ext").glob("*.so")}


def test_needs_a_torch(monkeypatch):
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: None)
    assert gpu.missing().startswith("this Python has no torch")


def test_needs_a_compiler_for_kernels(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu.shutil, "which", lambda name, path=None: None)
    real = gpu.importlib.util.find_spec
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: None if name == "cupy" else real(name))
    assert "neither nvcc nor CuPy" in gpu.missing()
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: real("json"))
    assert gpu.missing() is None


def test_plan_with_all_tools(monkeypatch):
    monkeypatch.delenv("TORCH_CUDA_ARCH_LIST", raising=False)
    monkeypatch.setattr(gpu.shutil, "which", lambda name, path=None: f"/cuda/{name}")
    steps = {step.name: step for step in gpu.plan("python", "9.0")}
    assert list(steps) == [
        "build", "answers", "tests", "memcheck", "racecheck", "synccheck", "initcheck", "ops", "score", "report",
    ]  # fmt: skip
    assert steps["build"].environ["TORCH_CUDA_ARCH_LIST"] == "9.0"
    assert steps["build"].environ["WRCOR_CUDA"] == "1"
    assert steps["build"].environ["CUDACXX"] == "/cuda/nvcc"
    assert steps["racecheck"].command[:3] == ("/cuda/compute-sanitizer", "--tool", "racecheck")
    assert "--kernel-name" in steps["racecheck"].command
    assert "--kernel-name" not in steps["initcheck"].command
    for name in ("ops", "score"):
        assert Path(steps[name].command[1]).is_file()
        assert {"--device", "cuda", "--refcheck"} <= set(steps[name].command)


def test_plan_without_nvcc_and_sanitizer(monkeypatch):
    monkeypatch.setattr(gpu.shutil, "which", lambda name, path=None: None)
    steps = {step.name: step for step in gpu.plan("python", "9.0")}
    assert steps["build"].environ["WRCOR_CUDA"] == "0"
    assert steps["memcheck"].skipped == "there is no compute-sanitizer"
    assert gpu.run([steps["memcheck"]]) == {"memcheck": "skipped: there is no compute-sanitizer"}


@pytest.mark.parametrize(("failing", "left"), [("build", []), ("tests", ["ops"])])
def test_a_failed_build_is_the_end_a_failed_test_is_not(failing, left):
    steps = [Step(failing, (sys.executable, "-c", "raise SystemExit(3)")), Step("ops", (sys.executable, "-c", ""))]
    outcome = gpu.run(steps)
    assert outcome[failing].startswith("failed with exit code 3")
    assert list(outcome)[1:] == left
