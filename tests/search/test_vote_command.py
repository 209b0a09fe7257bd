"""The command where the objective is a vote, on tiny networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyarrow import parquet

import wrcor_ext
from wrcor_ext.search import main

VOTE = "vote:rank(snip, -jacob_cor)"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Relative paths, `runs/` among them, belong into the test's own folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("strategy", ["random", "evolution", "local"])
def test_a_vote_is_maximised_whatever_the_number_of_workers(tiny, by, strategy, capsys):
    def fingerprint(*further):
        assert main([*words, *further, "--json"]) == 0
        return json.loads(capsys.readouterr().out)["fingerprint"]

    words = [*tiny, *by(strategy), "--group", "4", "--budget", "14", "--proxies", VOTE, "naswot"]
    one = fingerprint("--out", "one")
    fingerprint("--workers", "2", "--budget", "7", "--out", "two")
    assert fingerprint("--workers", "3", "--out", "two", "--resume") == one
    rows = parquet.read_table("one/trials.parquet").to_pylist()
    distinct = [row for row in rows if row["duplicate_of"] is None]
    best = json.loads(Path("one/best.json").read_text())
    assert set(best["scores"]) == {"snip", "jacob_cor", "naswot"}
    assert best["trial"] == distinct[wrcor_ext.vote(VOTE, distinct).order[0]]["trial"]
    for row in rows:
        assert (row["status"] == "ok") == (row["snip"] is not None or row["jacob_cor"] is not None)
    assert "share ranked lower by vote:rank(snip,-jacob_cor)" in Path("one/report.html").read_text()


def test_a_run_by_vote_says_so_and_gets_a_folder_with_a_plain_name(tiny, capsys):
    for name in (VOTE, "sjw"):
        assert main([*tiny, "--budget", "2", "--proxies", name]) == 0
    assert "by vote:rank(snip,-jacob_cor)" in " ".join(capsys.readouterr().out.split())
    assert main([*tiny, "--budget", "3", "--proxies", VOTE, "--resume"]) == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == [
        "nasbench201-evolution-sjw-1",
        "nasbench201-evolution-vote-rank-snip-jacob_cor-1",
    ]
