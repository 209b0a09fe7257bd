"""bench_study: the whole of it on a short journal, and a memory of this process that can be true."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import bench_study
import pytest
import torch


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_figure_is_there_once(tmp_path, monkeypatch, one_thread):
    words = ["--trials", "30", "--candidates", "20", "--strategies", "random", "--out", str(tmp_path / "study.csv")]
    monkeypatch.setattr(sys, "argv", ["bench_study.py", *words])
    monkeypatch.setenv("PYTHONPATH", str(Path(bench_study.__file__).parents[1]))
    bench_study.main()
    with (tmp_path / "study.csv").open(newline="") as file:
        rows = {row["measure"]: row for row in csv.DictReader(file)}
    parts = ["ask of random", "tell of random", "journal of random", "display of random"]
    assert float(rows["bookkeeping of random"]["value"]) == pytest.approx(
        sum(float(rows[part]["value"]) for part in parts), rel=1e-2
    )
    assert set(rows) - {*parts, "bookkeeping of random"} == {
        "memory of imports", "seconds to resume", "memory to resume", "seconds to write all files",
        "memory to write all",
    }  # fmt: skip
    assert 10 < float(rows["memory of imports"]["value"]) <= float(rows["memory to write all"]["value"]) < 5000
    assert rows["seconds to resume"]["trials"] == "30"
