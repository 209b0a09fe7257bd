"""Files derived from a journal: made from a stream of trials, whatever their number."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from helpers.trials import trial
from pyarrow import parquet

from wrcor_ext.reporting import Candidates
from wrcor_ext.search import exports
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.trial import Evaluation

# As after a kill: trial 3 is not there.
TRIALS = [trial(0, 1.0), trial(1, None), trial(2, 5.0), trial(4, 3.0), trial(5, 1.0, duplicate_of=0)]


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_a_table_made_in_parts_is_the_whole(monkeypatch, batch):
    monkeypatch.setattr(exports, "BATCH", batch)
    table = parquet.read_table(io.BytesIO(exports.parquet(iter(TRIALS), ["wrcor", "naswot"]))).to_pylist()
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
    table = parquet.read_table(io.BytesIO(exports.parquet(iter([]), ["wrcor"])))
    assert table.num_rows == 0
    assert "wrcor" in table.column_names


def test_the_best_of_a_report_are_found_where_numbers_are_missing():
    config = SearchConfig(proxies=["wrcor", "naswot"], budget=6)
    page = exports.report(config, {"environment": {}}, lambda: iter(TRIALS), [TRIALS[2], TRIALS[3]]).decode()
    marks = re.findall(r"rank \d, trial \d: [\d.]+", page)
    assert marks == ["rank 2, trial 4: 3.00", "rank 1, trial 2: 5.00"]
    tiles = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert tiles["trials"] == "5"
    assert tiles["seen before"] == "1"
    assert tiles["failed"] == "1"


def test_columns_hold_what_candidates_hold():
    late = replace(TRIALS[3], evaluation=Evaluation("ok", {"wrcor": 2.0, "late": 7.0}, 0.5, "note"))
    trials = [*TRIALS[:3], late, TRIALS[4]]
    columns = Candidates.of(exports.candidate(one, one.evaluation.scores["wrcor"]) for one in trials)
    assert len(columns) == 5
    assert columns.trial.tolist() == [0, 1, 2, 4, 5]
    np.testing.assert_array_equal(columns.objective, [1.0, np.nan, 5.0, 2.0, 1.0])
    assert columns.own.tolist() == [0, 1, 2, 3]
    assert columns.architectures == ["arch 0", "arch 1", "arch 2", "arch 4"]
    np.testing.assert_array_equal(columns.scores["late"], [np.nan, np.nan, np.nan, 7.0])
    np.testing.assert_array_equal(columns.scores["naswot"], [0.1, 0.1, 0.1, np.nan])
    assert columns.seconds == 4 * 0.25 + 0.5
    failures = {kind: (found.count, found.first) for kind, found in columns.failures.items()}
    assert failures == {("failed", "RuntimeError: no"): (1, 1), ("ok", "note"): (1, 4)}
