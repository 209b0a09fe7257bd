"""Files derived from a journal: made from a stream of trials, whatever their number."""

from __future__ import annotations

import io

import pytest
from helpers.trials import trial
from pyarrow import parquet

from wrcor_ext.search import exports

# As after a kill: trial 3 is not there.
TRIALS = [trial(0, 1.0), trial(1, None), trial(2, 5.0), trial(4, 3.0), trial(5, 1.0, duplicate_of=0)]


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_a_table_made_in_parts_is_the_whole(monkeypatch, batch):
    monkeypatch.setattr(exports, "BATCH", batch)
    file = io.BytesIO()
    exports.parquet(file, iter(TRIALS), ["wrcor", "naswot"])
    table = parquet.read_table(file).to_pylist()
    assert table == [
        {
            "trial": one.trial,
            "architecture": one.architecture,
            "key": one.key,
            "status": one.evaluation.status,
            **one.evaluation.scores,
            "flops": 10,
            "params": 20,
            "memory": 30,
            "layers": 4,
            "latency": 1.5,
            "seconds": 0.25,
            "duplicate_of": one.duplicate_of,
            "cached": False,
            "reason": one.evaluation.reason,
        }
        for one in TRIALS
    ]


def test_a_table_of_no_trials_has_its_columns():
    file = io.BytesIO()
    exports.parquet(file, iter([]), ["wrcor"])
    table = parquet.read_table(file)
    assert table.num_rows == 0
    assert "wrcor" in table.column_names
