"""The command with several objectives, on tiny networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyarrow import parquet

from wrcor_ext.search import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Relative paths, `runs/` among them, belong into the test's own folder."""
    monkeypatch.chdir(tmp_path)


def json_of(capsys, *words):
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def dominates(one, other):
    """Of rows of a table: a higher score and fewer multiply-adds."""
    return (
        one["wrcor"] >= other["wrcor"]
        and one["flops"] <= other["flops"]
        and (one["wrcor"], one["flops"]) != (other["wrcor"], other["flops"])
    )


@pytest.mark.parametrize("strategy", ["random", "evolution"])
def test_the_front_is_the_same_whatever_the_number_of_workers_and_interruptions(tiny, strategy, capsys):
    words = [*tiny, "--strategy", strategy, "--group", "4", "--maximize", "wrcor", "--minimize", "flops"]
    one = json_of(capsys, *words, "--budget", "18", "--out", "one")
    json_of(capsys, *words, "--budget", "8", "--workers", "2", "--out", "two")
    resumed = json_of(capsys, "--out", "two", "--resume", "--budget", "18")
    names = ("fingerprint", "front", "hypervolume", "reference_point", "objectives")
    assert {name: resumed[name] for name in names} == {name: one[name] for name in names}

    rows = parquet.read_table("one/trials.parquet").to_pylist()
    scored = [row for row in rows if row["wrcor"] is not None]
    on_front = [row for row in rows if row["front"]]
    assert one["objectives"] == ["wrcor", "-flops"]
    assert one["reference_point"]["flops"] == max(row["flops"] for row in scored)
    assert one["reference_point"]["wrcor"] == min(row["wrcor"] for row in scored)
    for row in scored:
        assert row["front"] != any(dominates(other, row) or equal_before(other, row) for other in scored)
    best = json.loads(Path("one/best.json").read_text())
    assert best == {name: one[name] for name in best}
    assert [member["trial"] for member in best["front"]] == [
        row["trial"] for row in sorted(on_front, key=lambda row: -row["wrcor"])
    ]


def equal_before(one, other):
    return (one["wrcor"], one["flops"]) == (other["wrcor"], other["flops"]) and one["trial"] < other["trial"]


def test_one_objective_is_the_run_of_that_proxy(tiny, capsys):
    words = [*tiny, "--budget", "6"]
    by_proxy = json_of(capsys, *words, "--proxies", "naswot", "--out", "a")
    by_objective = json_of(capsys, *words, "--maximize", "naswot", "--out", "b")
    assert by_objective["fingerprint"] == by_proxy["fingerprint"]
    assert by_objective["best"] == by_proxy["best"]
    assert main([*words, "--maximize", "naswot", "--out", "a", "--resume"]) == 0


def test_the_front_is_shown_and_names_the_folder(tiny, capsys):
    assert main([*tiny, "--budget", "6", "--maximize", "vote:rank(snip,naswot)", "--minimize", "params", "flops"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "by vote:rank(snip,naswot), -params, -flops" in out
    (folder,) = Path("runs").iterdir()
    assert folder.name == "nasbench201-evolution-vote-rank-snip-naswot-params-flops-1"
    rows = parquet.read_table(folder / "trials.parquet").to_pylist()
    assert {"snip", "naswot"} < set(rows[0])
    assert "wrcor" not in rows[0]
    assert f"front of {sum(row['front'] for row in rows)} by" in out
