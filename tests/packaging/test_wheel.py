"""The wheel: complete, no second torch, and at work in an environment that has never seen the source tree."""

from __future__ import annotations

import json
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import run_ok

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
OPS = {
    "response_correlation",
    "accumulate_correlation",
    "accumulate_correlation_group",
    "accumulate_hamming",
    "slogdet",
}

SCORE = """
import json, torch, wrcor_ext
from torch import nn
torch.manual_seed(0)
torch.set_num_threads(1)
model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10), nn.ReLU(), nn.Linear(10, 4))
images = torch.randn(16, 3, 8, 8)
result = wrcor_ext.score(model, images, torch.arange(16) % 4, proxies=["wrcor", "naswot"])
print(json.dumps({"torch": torch.__version__, "file": wrcor_ext.__file__,
                  "scores": {name: [one.status, one.value] for name, one in result.items()}}))
"""

IMPORT_SECONDS = """
import time, torch
start = time.perf_counter()
import wrcor_ext
print(time.perf_counter() - start)
"""


def test_sdist_holds_what_a_build_needs(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"CMakeLists.txt", "setup.py", "pyproject.toml", "LICENSE", "wrcor_ext/py.typed"} <= names
    assert any(name.startswith("csrc/") and name.endswith(".cpp") for name in names)
    assert "python/foresight/pruners/predictive.py" in names
    assert not [name for name in names if name.endswith(".so")]


def test_wheel_holds_the_compiled_library_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"wrcor_ext/_C.so", "wrcor_ext/py.typed", "wrcor_ext/info.py"} <= set(names)
    assert {name.split("/")[0] for name in names} == {"wrcor_ext", f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"}
    # The sources that CuPy compiles: all of them, and only once in the repository.
    kernels = {path.name for path in (ROOT / "csrc" / "kernels").glob("*.cuh")}
    assert {name for name in names if name.endswith(".cuh")} == {f"wrcor_ext/kernels/{kernel}" for kernel in kernels}
    # The search-space extension ties the wheel to this version of Python.
    assert f"wrcor_ext/_spaces{sysconfig.get_config_var('EXT_SUFFIX')}" in names
    assert wheel.name.split("-")[2:4] == [f"cp{sys.version_info.major}{sys.version_info.minor}"] * 2
    assert not wheel.stem.endswith("-any")


def test_plan_installs_no_second_torch(wheel: Path, other_python: Path) -> None:
    arguments = ["install", "--dry-run", "--quiet", "--report", "-", wheel]
    report = json.loads(run_ok(other_python, "-m", "pip", *arguments, cwd=wheel.parent))
    planned = {entry["metadata"]["name"].lower() for entry in report["install"]}
    assert "wrcor_ext" in planned
    assert "torch" not in planned


@pytest.fixture(scope="module")
def installed(wheel: Path, other_python: Path) -> Path:
    """The other environment's interpreter once the wheel and its dependencies are installed there."""
    run_ok(other_python, "-m", "pip", "install", "--quiet", "--no-compile", wheel, cwd=wheel.parent)
    return other_python


def assert_native(report: str) -> None:
    """The compiled libraries answer every op on the CPU and for the search spaces, says `wrcor info --json`."""
    facts = json.loads(report)
    assert facts["search_spaces"] == "native"
    answers = {entry["op"]: entry for entry in facts["backends"] if entry["device"] == "cpu"}
    assert set(answers) == OPS
    assert {entry["backend"] for entry in answers.values()} == {"native"}, answers


@pytest.fixture(scope="module")
def installed_report(installed: Path) -> dict[str, Any]:
    """What `SCORE` finds in the other environment."""
    report: dict[str, Any] = json.loads(run_ok(installed, "-I", "-c", SCORE, cwd=installed.parent))
    return report


def test_installed_wheel_scores_natively(installed: Path, installed_report: dict[str, Any], tmp_path: Path) -> None:
    assert installed_report["torch"].startswith("2.13.")
    assert Path(installed_report["file"]).is_relative_to(installed.parents[1])
    assert {status for status, _ in installed_report["scores"].values()} == {"ok"}
    info = run_ok(installed.parent / "wrcor", "info", "--json", cwd=tmp_path)
    assert_native(info)
    assert json.loads(info)["versions"]["torch"].startswith("2.13.")


def test_torch_without_cuda_says_why_no_cuda_kernel_answers(installed: Path, tmp_path: Path) -> None:
    facts = json.loads(run_ok(installed.parent / "wrcor", "info", "--json", cwd=tmp_path))
    if not facts["versions"]["torch"].endswith("+cpu"):
        pytest.skip(f"torch {facts['versions']['torch']} is a CUDA build")
    library = facts["libraries"][1]
    if not library["path"]:
        pytest.skip("built without nvcc")
    reason = f"this torch ({facts['versions']['torch']}) is built without CUDA."
    assert (library["name"], library["loaded"], library["reason"]) == ("_C_cuda.so", False, reason)
    answers = {(entry["backend"], entry["reason"]) for entry in facts["backends"] if entry["device"] == "cuda"}
    assert answers == {("torch", reason)}


def test_installed_wheel_brings_the_sources_that_cupy_compiles(installed: Path, tmp_path: Path) -> None:
    code = "from wrcor_ext.ops.cupy_backend.compiler import kernel_folder; print(kernel_folder())"
    folder = Path(run_ok(installed, "-I", "-c", code, cwd=tmp_path).strip())
    assert folder.is_relative_to(installed.parents[1])
    assert (folder / "slogdet.cuh").read_text() == (ROOT / "csrc" / "kernels" / "slogdet.cuh").read_text()


def test_same_wheel_serves_the_development_torch(wheel: Path, installed_report: dict[str, Any], tmp_path: Path) -> None:
    run_ok(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path, wheel, cwd=tmp_path)
    here = {"cwd": tmp_path, "PYTHONPATH": str(tmp_path)}
    assert_native(run_ok(sys.executable, "-m", "wrcor_ext.info", "--json", **here))
    report = json.loads(run_ok(sys.executable, "-c", SCORE, **here))
    assert Path(report["file"]).is_relative_to(tmp_path)
    assert report["torch"] != installed_report["torch"]
    for name, (_, value) in report["scores"].items():
        assert value == pytest.approx(installed_report["scores"][name][1], rel=1e-5)


@pytest.mark.usefixtures("installed_report")  # byte code is written by then
def test_import_time_is_reported(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> None:
    seconds = float(run_ok(installed, "-I", "-c", IMPORT_SECONDS, cwd=tmp_path))
    record_property("seconds_beyond_import_torch", seconds)
    with capsys.disabled():
        print(f" import wrcor_ext: {seconds:.3f} s beyond import torch", end=" ")
    assert seconds > 0
