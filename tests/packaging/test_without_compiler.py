"""Where nothing can be compiled: the package installs, works on the reference, and says so once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.commands import run, run_ok

pytestmark = pytest.mark.slow

# Two scores: whatever is said must be said once.
USE = """
import torch, wrcor_ext, wrcor_ext.spaces
from torch import nn
torch.set_num_threads(1)
model = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4))
images, labels = torch.randn(6, 3, 2, 2), torch.arange(6) % 4
for _ in range(2):
    assert wrcor_ext.score(model, images, labels)["wrcor"].status == "ok"
space = wrcor_ext.spaces.get("nasbench101")
cell = space.parse('{"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"]}')
assert space.key(cell) == "043721b9c7fe8c5fad811d47d83132ec"
print(wrcor_ext.__file__)
"""


def install(sdist: Path, target: Path, **environ: str) -> tuple[int, str]:
    """Installs into an empty folder, with this environment's setuptools and torch; returns exit code and output."""
    options = ["--verbose", "--no-deps", "--no-build-isolation", "--target", target]
    done = run(sys.executable, "-m", "pip", "install", *options, sdist, cwd=sdist.parent, **environ)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def no_compiler(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH leads nowhere."""
    return {"PATH": str(tmp_path / "no-programs-here")}


def test_installs_and_works_on_the_reference(sdist: Path, tmp_path: Path, no_compiler: dict[str, str]) -> None:
    target = tmp_path / "target"
    code, output = install(sdist, target, **no_compiler)
    assert code == 0, output
    (said,) = [line for line in output.splitlines() if "native library" in line]
    assert "no C++ compiler" in said
    assert "reference" in said
    assert not list(target.rglob("*.so"))
    assert [path.name for path in target.glob("*.dist-info")]

    used = run(sys.executable, "-c", USE, cwd=tmp_path, PYTHONPATH=str(target))
    assert used.returncode == 0, used.stderr
    assert Path(used.stdout.strip()).is_relative_to(target)
    assert used.stderr.count("pure-torch") == 1, used.stderr

    demanded = run(sys.executable, "-c", USE, cwd=tmp_path, PYTHONPATH=str(target), WRCOR_EXT_REQUIRE="native")
    assert demanded.returncode != 0
    assert "BackendError" in demanded.stderr


def test_demanded_library_that_cannot_be_built_is_an_error(
    sdist: Path, tmp_path: Path, no_compiler: dict[str, str]
) -> None:
    code, output = install(sdist, tmp_path / "target", WRCOR_NATIVE="1", **no_compiler)
    assert code != 0
    assert "WRCOR_NATIVE=1, but no native library can be built: no C++ compiler" in output
    assert not list(tmp_path.glob("target/wrcor_ext*"))


def test_library_can_be_left_out(sdist: Path, tmp_path: Path) -> None:
    code, output = install(sdist, tmp_path / "target", WRCOR_NATIVE="0")
    assert code == 0, output
    assert "switched off" in output
    assert not list(tmp_path.rglob("*.so"))
    (wheel_facts,) = (tmp_path / "target").glob("*.dist-info/WHEEL")
    assert "Tag: py3-none-any" in wheel_facts.read_text()
    run_ok(sys.executable, "-W", "ignore", "-c", USE, cwd=tmp_path, PYTHONPATH=str(tmp_path / "target"))


def test_unknown_choice_is_refused(sdist: Path, tmp_path: Path) -> None:
    code, output = install(sdist, tmp_path / "target", WRCOR_NATIVE="yes")
    assert code != 0
    assert "WRCOR_NATIVE is 'yes': use auto, 0 or 1" in output
