"""The command with several objectives, on tiny networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pyarrow import parquet

from wrcor_ext.search import main
from wrcor_ext.spaces.nasbench201 import NASBench201


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


def test_an_interrupted_search_finds_the_same_front(tiny, capsys):
    words = [*tiny, "--group", "4", "--maximize", "wrcor", "--minimize", "flops"]
    one = json_of(capsys, *words, "--budget", "18", "--out", "one")
    json_of(capsys, *words, "--budget", "6", "--out", "two")
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


def test_the_reference_point_may_change_when_a_run_is_resumed(tiny, capsys):
    words = ["--maximize", "wrcor", "--minimize", "flops", "--reference-point", "flops=1e9"]
    before = json_of(capsys, *tiny, *words, "--budget", "6", "--out", "a")
    after = json_of(capsys, "--out", "a", "--resume", "--reference-point", "wrcor=-1000", "flops=2e9")
    assert before["reference_point"]["flops"] == 1e9
    assert after["reference_point"] == {"wrcor": -1000.0, "flops": 2e9}
    assert after["hypervolume"] > before["hypervolume"]
    assert after["fingerprint"] == before["fingerprint"]


def test_a_direction_that_is_not_the_proxys_own_is_noted(tiny, capsys):
    words = [*tiny, "--budget", "3", "--minimize", "wrcor", "flops", "--out", "a", "--json"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "note: wrcor is minimised as asked for, though a higher one is taken to be better" in " ".join(err.split())
    rows = parquet.read_table("a/trials.parquet").to_pylist()
    lowest = min((row for row in rows if row["wrcor"] is not None), key=lambda row: (row["wrcor"], row["flops"]))
    assert json.loads(out)["front"][0]["scores"]["wrcor"] == lowest["wrcor"]


def test_a_cost_that_the_space_does_not_count_is_refused(tiny, capsys, monkeypatch):
    cost = NASBench201.cost

    def without_memory(self, arch, **options):
        return replace(cost(self, arch, **options), memory=None)

    monkeypatch.setattr(NASBench201, "cost", without_memory)
    assert main([*tiny, "--maximize", "wrcor", "--minimize", "memory", "--out", "a"]) == 2
    assert "objective -memory: the space nasbench201 does not count memory" in capsys.readouterr().err
    assert not Path("a").exists()


def test_tensorboard_follows_the_hypervolume(tiny, capsys):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard")
    facts = json_of(
        capsys, *tiny, "--budget", "10", "--maximize", "wrcor", "--minimize", "flops", "--tensorboard", "--out", "a"
    )
    events = reader.EventAccumulator("a/tensorboard")
    events.Reload()
    volumes = [event.value for event in events.Scalars("search/hypervolume")]
    assert volumes == sorted(volumes)
    assert volumes[-1] == pytest.approx(facts["hypervolume"], rel=1e-6)


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
