"""The benchmarks are scripts beside each other: they import one another by bare names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import driver  # noqa: E402
from schema import Result  # noqa: E402
from timing import Sample  # noqa: E402


class FakeClock:
    """Every contender takes the time that stands in `seconds`; runs them all the same."""

    seconds: Mapping[str, float] = {}

    def __init__(self, device, *, cold):
        self.cold = cold

    def warm_up(self, work, milliseconds):
        work()

    def round(self, contenders):
        for work in contenders.values():
            work()
        return {name: Sample(self.seconds.get(name, 1.0), 2.0) for name in contenders}


@pytest.fixture
def session(monkeypatch, tmp_path):
    """Starts a session whose clock is `FakeClock`, on a machine that copies 100 GB/s; writes to `tmp_path`."""
    monkeypatch.setattr(driver, "Clock", FakeClock)
    monkeypatch.setattr(driver, "copy_sample", lambda device: (50 * 10**9, 1.0))
    monkeypatch.setattr(FakeClock, "seconds", {})
    threads = torch.get_num_threads()

    def start(*flags, seconds=None):
        monkeypatch.setattr(FakeClock, "seconds", seconds or {})
        arguments = driver.parser("", budget_ms=0.0).parse_args([*flags, "--out", str(tmp_path / "out.csv")])
        return driver.Session("ops", arguments)

    yield start
    torch.set_num_threads(threads)


@pytest.fixture
def row():
    """A row of a results file; what is not given is empty."""

    def make(**given):
        floats = {name: float("nan") for name, kind in Result.__annotations__.items() if kind == "float"}
        texts = {name: "" for name, kind in Result.__annotations__.items() if kind == "str"}
        common = {"samples": 5, "threads": 1, "device": "cpu", "hardware": "a processor", "dtype": "float32"}
        return Result(**(floats | texts | common | given))

    return make
