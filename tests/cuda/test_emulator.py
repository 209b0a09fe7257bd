"""The CUDA kernels on the CPU: C++ tests under each checker, and the road from Python to the kernels."""

from __future__ import annotations

import ctypes
import shutil

import pytest
import torch
from helpers import emulator
from helpers.commands import run, run_ok

from wrcor_ext.ops import reference

pytestmark = pytest.mark.skipif(emulator.missing() is not None, reason=emulator.missing() or "")


@pytest.fixture(scope="module")
def built():
    return emulator.build()


# ThreadSanitizer of older compilers knows no addresses from where a kernel with much randomisation puts programs.
def unrandomised(folder) -> list[str]:
    setarch = shutil.which("setarch")
    if setarch is None or run(setarch, "--addr-no-randomize", "true", cwd=folder).returncode != 0:
        return []
    return [setarch, "--addr-no-randomize"]


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["plain", "address", "thread"])
def test_kernels_and_planted_bugs(built, checker):
    command = [*unrandomised(built), "ctest", "--output-on-failure", "--no-tests=error", "-j2", "-R", f"^{checker}\\."]
    assert "100% tests passed" in run_ok(*command, cwd=built)


@pytest.mark.parametrize("order", ["reverse", "random:7"])
def test_python_reaches_the_kernels_in_any_order(order):
    x = torch.randn(9, 200, generator=torch.Generator().manual_seed(0))
    forward = emulator.response_correlation(x)
    torch.testing.assert_close(forward, reference.response_correlation(x), rtol=0, atol=2e-6)
    emulator.set_order(order)
    try:
        assert torch.equal(emulator.response_correlation(x), forward)
    finally:
        emulator.set_order("forward")


def test_complaints_arrive():
    with pytest.raises(RuntimeError, match="forward, reverse, rotated or random:SEED, not sideways"):
        emulator.set_order("sideways")


def test_structure_matches_the_header():
    # Three fields of eight bytes, as in csrc/cuda/launch.cuh.
    assert ctypes.sizeof(emulator._ResponseInput) == 24
