"""The driver: ratios, rates, and that a wrong result gets no figure."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import driver
import pytest
import torch
from driver import Case, Contender
from environment import slug
from helpers.commands import run_ok
from schema import read_csv
from timing import Clock, cache_bytes, copy_sample

BENCHMARKS = Path(driver.__file__).parent
CASE = Case("sum", "10x10", "float32", input_bytes=4e9, flops=6e9, tolerance=1e-6)


def contender(error=None):
    return Contender(lambda: None, None if error is None else lambda: error)


def test_ratios_and_rates(session):
    run = session(seconds={"native": 0.1, "torch": 0.4})
    native, torch_row = run.compare(CASE, {"native": contender(), "torch": contender()})
    assert (native.ratio, torch_row.ratio, torch_row.baseline) == (1.0, 4.0, "native")
    assert native.gb_per_s == pytest.approx(40.0)
    assert native.gflop_per_s == pytest.approx(60.0)
    assert native.share_of_copy == pytest.approx(0.4)  # of 50 GB read and written in a second
    assert native.samples == 5
    assert math.isnan(native.error)


def test_refcheck_gives_a_wrong_contender_no_figure(session, capsys):
    run = session("--refcheck")
    rows = run.compare(CASE, {"native": contender(2e-6), "torch": contender(1e-6), "x @ x.T": contender()})
    assert [row.samples for row in rows] == [0, 5, 5]
    assert math.isnan(rows[0].seconds)
    assert math.isnan(rows[1].ratio)  # to a baseline without a figure
    assert run.finish() == 1
    assert "wrong: sum [10x10] float32: native is off by 2.0e-06" in capsys.readouterr().out


def test_a_nan_is_wrong(session):
    run = session("--refcheck")
    (row,) = run.compare(CASE, {"native": contender(math.nan)})
    assert row.samples == 0
    assert run.finish() == 1


def test_without_refcheck_nothing_is_compared(session):
    run = session()
    (row,) = run.compare(CASE, {"native": contender(1.0)})
    assert row.samples == 5
    assert run.finish() == 0


def test_a_run_that_is_cut_off_leaves_what_it_has(session, tmp_path):
    run = session()
    run.compare(CASE, {"native": contender()})
    assert [row.case for row in read_csv(tmp_path / "out.csv")][1:] == ["sum"]


def test_csv_begins_with_the_copy(session, tmp_path):
    run = session()
    run.compare(CASE, {"native": contender()})
    assert run.finish() == 0
    copied, native = read_csv(tmp_path / "out.csv")
    assert copied.case.startswith("copy_")
    assert (copied.gb_per_s, copied.share_of_copy) == (100.0, 1.0)
    assert native.torch == torch.__version__


def test_without_a_gpu_cuda_ends_the_program(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        driver.chosen_device("cuda")
    assert ended.value.code == 2
    assert "no GPU" in capsys.readouterr().err


def test_files_carry_the_name_of_the_card():
    assert driver.default_name("ops", {"device": "cpu", "hardware": "AMD"}) == "ops.csv"
    card = {"device": "cuda", "hardware": "NVIDIA H100 80GB HBM3"}
    assert driver.default_name("ops", card) == "ops_nvidia-h100-80gb-hbm3.csv"
    assert slug("GeForce RTX 4090 (laptop)") == "geforce-rtx-4090-laptop"


def test_cpu_clock_takes_its_time(monkeypatch):
    monkeypatch.setattr("timing.cache_bytes", lambda device: 1000)
    calls = []
    clock = Clock(torch.device("cpu"), cold=True)
    clock.warm_up(lambda: calls.append("a"), 0.0)
    samples = clock.round({"a": lambda: calls.append("a"), "b": lambda: sum(range(1000))})
    assert calls == ["a", "a"]
    assert all(sample.seconds > 0 and sample.cpu_seconds > 0 for sample in samples.values())


def test_gpu_clock_evicts_before_the_events_and_waits_after_the_round(monkeypatch):
    happened = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing
            self.at = None

        def record(self):
            self.at = len(happened)
            happened.append("event")

        def synchronize(self):
            happened.append("wait")

        def elapsed_time(self, end):
            return 1000.0 * (end.at - self.at)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(Clock, "_flush", lambda self: happened.append("flush"))
    clock = Clock(torch.device("cpu"), cold=False)
    clock.device = torch.device("cuda")
    samples = clock.round({"a": lambda: happened.append("a"), "b": lambda: happened.append("b")})
    assert happened == ["flush", "event", "a", "event", "flush", "event", "b", "event", "wait", "wait"]
    assert [sample.seconds for sample in samples.values()] == [2.0, 2.0]
    assert all(math.isnan(sample.cpu_seconds) for sample in samples.values())


def test_copy_is_measured_on_what_caches_do_not_hold(monkeypatch):
    monkeypatch.setattr("timing._COPIED_BYTES", {"cpu": 2**20})
    size, seconds = copy_sample(torch.device("cpu"), groups=2, repeats=3)
    assert size == 2**20
    assert seconds > 0
    assert 2**18 <= cache_bytes(torch.device("cpu")) <= 2**32


def test_threads_are_limited_before_numpy_is_there():
    program = (
        "import os, sys; from threads import limit_threads; limit_threads(['--refcheck', '--threads', '3']);"
        "print(os.environ['OMP_NUM_THREADS'], 'numpy' in sys.modules or 'torch' in sys.modules)"
    )
    assert run_ok(sys.executable, "-c", program, cwd=BENCHMARKS) == "3 False\n"
