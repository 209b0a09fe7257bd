"""The results schema: what is written is read back, and what was not measured stays empty."""

from __future__ import annotations

import csv
import math

import pytest
from schema import read_csv, write_csv


def test_round_trip(tmp_path, row):
    written = row(benchmark="ops", case="a, b", backend="native", seconds=0.0123456, samples=7, hardware='8" card')
    write_csv(tmp_path / "new" / "a.csv", [written])
    (found,) = read_csv(tmp_path / "new" / "a.csv")
    assert (found.case, found.backend, found.samples, found.hardware) == ("a, b", "native", 7, '8" card')
    assert found.seconds == pytest.approx(0.0123456, rel=1e-4)
    assert math.isnan(found.gb_per_s)


def test_what_was_not_measured_is_an_empty_cell(tmp_path, row):
    write_csv(tmp_path / "a.csv", [row(seconds=2.0)])
    with (tmp_path / "a.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert line["seconds"] == "2"
    assert line["gb_per_s"] == line["ratio"] == line["commit"] == ""
    assert "nan" not in line.values()


def test_other_columns_are_refused(tmp_path):
    (tmp_path / "rank.csv").write_text("measure,value\nrho,0.8\n")
    with pytest.raises(ValueError, match=r"rank\.csv does not have the columns"):
        read_csv(tmp_path / "rank.csv")
