"""The command with REINFORCE, on tiny networks."""

from __future__ import annotations

import json
import sqlite3

import pytest

from wrcor_ext.search import main

NETWORKS = (
    *("--stem-width", "4", "--cells-per-stage", "1", "--image-size", "8", "--batch-size", "6", "--dataset", "noise"),
    *("--strategy", "reinforce", "--warm-up", "5", "--learning-rate", "0.1", "--group", "4", "--workers", "1"),
)


def test_votes_within_limits_give_one_result_interrupted_or_not(tmp_path, capsys):
    def fingerprint(folder, *further):
        assert main([*words, *further, "--out", str(tmp_path / folder), "--json"]) == 0
        return json.loads(capsys.readouterr().out)["fingerprint"]

    words = [*NETWORKS, "--budget", "18", "--proxies", "vote:rank(snip, -jacob_cor)", "--max-params", "9000"]
    one = fingerprint("one")
    fingerprint("two", "--budget", "10")
    assert fingerprint("two", "--resume") == one
    with sqlite3.connect(tmp_path / "one" / "trials.sqlite") as db:
        assert [params for (params,) in db.execute("SELECT params FROM trials WHERE params > 9000")] == []
        (state,) = db.execute("SELECT strategy FROM checkpoint").fetchone()
    assert any(json.loads(state)["logits"])


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--learning-rate", "0", "--learning-rate: expected a positive number, not '0'"),
        ("--baseline-decay", "1", "--baseline-decay: expected a number of at least 0 and below 1, not '1'"),
        ("--warm-up", "1", "--warm-up: expected a whole number from 2 to 1000000, not 1"),
    ],
)
def test_options_out_of_range_are_refused(tmp_path, capsys, option, value, expected):
    assert main([*NETWORKS, option, value, "--out", str(tmp_path / "run")]) == 2
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_space_without_an_encoding_is_refused_before_a_folder_is_made(tmp_path, capsys, monkeypatch):
    (tmp_path / "space_without_encoding.py").write_text(
        "from wrcor_ext import spaces\n\n"
        "class Own(spaces.NASBench201):\n"
        "    name = 'own'\n"
        "    encoding = spaces.Space.encoding\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = ["--space", "space_without_encoding:Own", "--out", str(tmp_path / "run"), "--budget", "3"]
    assert main([*NETWORKS, *words]) == 2
    error = capsys.readouterr().err
    assert "error: space 'own' does not say which choices make up an architecture" in " ".join(error.split())
    assert not (tmp_path / "run").exists()
