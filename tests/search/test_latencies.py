"""Latencies in a search: a limit, an objective, a column; measured once for each architecture, resumed or not."""

from __future__ import annotations

import functools
import json
import math
import sqlite3

import pyarrow.parquet as pq
import pytest
from helpers.toy import ToySpace

from wrcor_ext import spaces
from wrcor_ext.errors import BackendError, InputError
from wrcor_ext.latency import MeasuredLatency
from wrcor_ext.search import latencies
from wrcor_ext.search.cli import main
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.latencies import KeptLatency
from wrcor_ext.search.timings import EVALUATE, Timings

ARCH = (1, 2, 3, 4)


class Clock:
    """Stands in for `latency.measure`: a millisecond per convolution, and remembers what it was asked."""

    def __init__(self, factor=1.0):
        self.factor = factor
        self.asked = []

    def __call__(self, model, **_):
        convolutions = [module for module in model.modules() if type(module).__name__ == "Conv2d"]
        self.asked.append(sum(module.weight.numel() for module in convolutions))
        return self.factor * len(convolutions)


@pytest.fixture
def clock(monkeypatch):
    """Installs a clock in place of the real one."""

    def install(factor=1.0):
        made = Clock(factor)
        monkeypatch.setattr(latencies, "MeasuredLatency", functools.partial(MeasuredLatency, measure=made))
        return made

    return install


def rows(folder):
    return pq.read_table(folder / "trials.parquet").to_pylist()


def known(folder):
    with sqlite3.connect(folder / "trials.sqlite") as db:
        return dict(db.execute("SELECT architecture, milliseconds FROM latencies"))


def test_a_limit_fills_the_column_of_every_trial_and_its_duplicates(tiny, tmp_path, clock):
    clock()
    out = tmp_path / "run"
    assert main([*tiny, "--max-latency", "12", "--budget", "30", "--strategy", "evolution", "--out", str(out)]) == 0
    found = rows(out)
    assert len(found) == 30
    assert any(row["duplicate_of"] is not None for row in found)
    # All convolutions, and the classifier is the one layer that is none.
    assert all(row["latency"] == row["layers"] - 1 <= 12 for row in found)
    best = json.loads((out / "best.json").read_text())
    assert best["cost"]["latency"] == found[best["trial"]]["latency"]


def test_an_objective_needs_no_limit(tiny, tmp_path, clock):
    made = clock()
    out = tmp_path / "run"
    words = ["--maximize", "wrcor", "--minimize", "latency", "--budget", "12", "--strategy", "random"]
    assert main([*tiny, *words, "--out", str(out)]) == 0
    assert all(row["latency"] == row["layers"] - 1 for row in rows(out))
    assert len(made.asked) <= 12


def test_nobody_measures_what_nobody_asks_for(tiny, tmp_path, clock):
    made = clock()
    assert main([*tiny, "--budget", "3", "--out", str(tmp_path / "run")]) == 0
    assert made.asked == []
    assert [row["latency"] for row in rows(tmp_path / "run")] == [None] * 3


@pytest.mark.parametrize("strategy", ["random", "evolution", "reinforce"])
def test_a_resumed_search_measures_nothing_again_and_proposes_the_same(tiny, tmp_path, clock, strategy):
    words = [*tiny, "--max-latency", "13", "--strategy", strategy, "--group", "8", "--seed", "3"]
    clock()
    assert main([*words, "--budget", "20", "--out", str(tmp_path / "whole")]) == 0
    clock()
    assert main([*words, "--budget", "11", "--out", str(tmp_path / "run")]) == 0  # within the second group
    before = known(tmp_path / "run")
    assert len(before) >= 11
    # Another machine, so slow that the group would be another one if its candidates were measured again.
    slow = clock(factor=1.08)
    assert main([*words, "--budget", "12", "--out", str(tmp_path / "run"), "--resume"]) == 0
    assert slow.asked == []
    assert known(tmp_path / "run") == before
    clock()
    assert main([*words, "--budget", "20", "--out", str(tmp_path / "run"), "--resume"]) == 0
    assert [r["architecture"] for r in rows(tmp_path / "run")] == [r["architecture"] for r in rows(tmp_path / "whole")]
    assert known(tmp_path / "run") == known(tmp_path / "whole")


def test_a_table_is_looked_up_and_not_copied(tiny, tmp_path, clock):
    made = clock()
    space = spaces.get("nasbench201")
    table = [f"{space.format(arch)},{1 + sum('conv' in op for op in arch)}" for arch in space.enumerate()]
    (tmp_path / "t.csv").write_text("\n".join(["architecture,latency_ms", *table]))
    words = ["--minimize", "latency", "--maximize", "wrcor", "--latency-table", str(tmp_path / "t.csv")]
    assert main([*tiny, *words, "--budget", "6", "--out", str(tmp_path / "run")]) == 0
    assert all(row["latency"] == 1 + row["architecture"].count("conv") for row in rows(tmp_path / "run"))
    assert made.asked == []
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        known(tmp_path / "run")


def test_a_table_that_nobody_asks_for_is_refused():
    with pytest.raises(InputError, match="no effect without --max-latency, or latency as an objective"):
        latencies.source_of(SearchConfig(latency_table="t.csv"), spaces.get("nasbench201"), image_size=32)


class Source:
    """Answers with the number of calls so far, or raises."""

    def __init__(self, error=None):
        self.calls = 0
        self.error = error

    def milliseconds(self, arch):
        self.calls += 1
        if self.error is not None:
            raise self.error
        return float(self.calls)


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "trials.sqlite")
    made.create({"config": {}, "environment": {}})
    yield made
    made.close()


def test_an_architecture_has_one_latency_in_a_run(journal):
    source = Source()
    kept = KeptLatency(source, ToySpace())
    assert [kept.milliseconds(ARCH), kept.milliseconds((0, 0, 0, 0)), kept.milliseconds(ARCH)] == [1, 2, 1]
    assert journal.latencies() == {}
    kept.keep_in(journal, Timings())
    assert kept.milliseconds((4, 4, 4, 4)) == 3
    assert journal.latencies() == {"1-2-3-4": 1, "0-0-0-0": 2, "4-4-4-4": 3}


def test_measuring_is_evaluation_also_while_a_strategy_is_asked(journal, monkeypatch):
    seconds = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(seconds)))
    timings, kept = Timings(), KeptLatency(Source(), ToySpace())
    kept.keep_in(journal, timings)
    with timings.phase("ask"):  # each look at the clock takes a second
        kept.milliseconds(ARCH)
        kept.milliseconds(ARCH)
    assert timings.seconds == {EVALUATE: 1, "ask": 2}


def test_what_the_journal_holds_counts(journal):
    journal.keep_latency("1-2-3-4", 77.0)
    kept = KeptLatency(Source(), ToySpace())
    assert kept.milliseconds(ARCH) == 1  # nobody knows of the journal yet
    kept.keep_in(journal, Timings())
    assert kept.milliseconds(ARCH) == 77
    assert journal.latencies() == {"1-2-3-4": 77}


def test_what_cannot_be_measured_takes_for_ever(journal):
    source = Source(RuntimeError("shapes do not fit"))
    kept = KeptLatency(source, ToySpace())
    kept.keep_in(journal, Timings())
    assert kept.milliseconds(ARCH) == kept.milliseconds(ARCH) == math.inf
    assert source.calls == 1
    assert journal.latencies() == {"1-2-3-4": math.inf}


def test_a_broken_installation_is_no_candidates_fault():
    with pytest.raises(BackendError):
        KeptLatency(Source(BackendError("no library")), ToySpace()).milliseconds(ARCH)


def test_where_nothing_can_be_timed_the_message_says_so(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    broken = functools.partial(MeasuredLatency, measure=lambda model, **_: 1 / 0)
    monkeypatch.setattr(latencies, "MeasuredLatency", broken)
    assert main([*tiny, "--max-latency", "5"]) == 2
    assert "none of 100 timed architectures keeps latency <= 5: none could be timed" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
