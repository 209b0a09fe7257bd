"""What a run folder tells without being changed: `search show` and `search compare`."""

from __future__ import annotations

import json
import shutil
import statistics
from dataclasses import replace

import pytest
from helpers.trials import trial

from wrcor_ext.reporting import consoles
from wrcor_ext.search import main
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.files import is_locked
from wrcor_ext.search.study import Study
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.spaces import Cost

CONFIG = SearchConfig(proxies=["wrcor", "naswot"], budget=4, seed=3, stem_width=4)
ENVIRONMENT = {"torch": "2.14", "batch_sha256": "0123456789abcdef"}
TRIALS = (trial(0, 1.0), trial(1, None), trial(2, 5.0, cost=Cost(3_000, 40)), trial(3, 1.0, duplicate_of=0))


def run(folder, trials=TRIALS, **options):
    with Study(folder, replace(CONFIG, **options), ENVIRONMENT) as study:
        for one in trials:
            study.journal.append(one)
        study.export()
    return folder


def listing(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def shown(capsys, *words):
    assert main(["show", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setattr(consoles, "PIPE_WIDTH", 300)


def test_a_run_is_shown_and_left_as_it_is(tmp_path, capsys):
    folder = run(tmp_path / "run")
    before = listing(folder)
    facts = shown(capsys, folder, "--top", 1)
    assert listing(folder) == before
    assert facts["best"] == [
        {
            "architecture": "arch 2",
            "scores": {"wrcor": 5.0, "naswot": 0.1},
            "cost": {"flops": 3000, "params": 40, "latency": 1.5},
            "trial": 2,
        }
    ]
    assert (facts["state"], facts["trials"], facts["budget"]) == ("complete", 4, 4)
    assert facts["status"] == {"ok": 3, "failed": 1}
    assert facts["seen_before"] == 1
    assert facts["seconds"] == 4 * 0.25
    assert facts["reasons"] == {"RuntimeError: no": 1}
    assert facts["options"] == {"stem_width": 4, "budget": 4, "proxies": ["wrcor", "naswot"], "seed": 3}
    assert facts["environment"] == ENVIRONMENT


def test_people_see_the_same(tmp_path, capsys):
    folder = run(tmp_path / "run")
    assert main(["show", str(folder)]) == 0
    out = capsys.readouterr().out
    assert f"{folder}: complete, 4 of 4 trials" in out
    assert [word for word in out.split("arch 2")[0].splitlines()[-1].split() if word not in "│┃"] == [
        "1", "2", "5.00", "0.10", "3.00", "k", "40.0",
    ]  # fmt: skip
    assert "1 failed, 3 ok, 1 seen before, scored in 1.0 s" in out
    assert "1 times: RuntimeError: no" in out
    assert "options: stem_width 4, proxies wrcor naswot, budget 4, seed 3" in out


def test_a_narrow_window_shows_whole_architectures_beneath_the_table(tmp_path, capsys, monkeypatch):
    folder = str(run(tmp_path / "run"))
    assert main(["show", folder]) == 0
    assert "architecture" in capsys.readouterr().out
    monkeypatch.setattr(consoles, "PIPE_WIDTH", 60)
    assert main(["show", folder]) == 0
    out = capsys.readouterr().out
    assert " architecture " not in out
    assert f"\n1: {TRIALS[2].architecture}\n" in out


def test_a_running_search_is_seen_as_of_its_last_trial(tmp_path, capsys):
    folder = tmp_path / "run"
    with Study(folder, CONFIG, ENVIRONMENT) as study:
        study.journal.append(trial(0, 1.0))
        assert shown(capsys, folder)["trials"] == 1
        study.journal.append(trial(1, 7.0))
        facts = shown(capsys, folder)
        assert (facts["state"], facts["trials"], facts["best"][0]["trial"]) == ("running", 2, 1)
        study.journal.append(trial(2, 9.0))  # looking did not lock anything
    facts = shown(capsys, folder)
    assert (facts["state"], facts["trials"]) == ("stopped", 3)
    assert not is_locked(folder)


def test_a_run_in_a_folder_without_write_permission_is_shown(tmp_path, capsys):
    folder = run(tmp_path / "run")
    (folder / "trials.sqlite").chmod(0o400)
    folder.chmod(0o500)
    try:
        assert shown(capsys, folder)["trials"] == 4
    finally:
        folder.chmod(0o700)


def test_what_refining_found_comes_first_once_the_run_has_ended(tmp_path, capsys):
    folder = run(tmp_path / "run")
    best = json.loads((folder / "best.json").read_text())
    refined = {"mean": {"wrcor": 4.5}, "standard_error": {"wrcor": 0.25}, "repeats": 6}
    (folder / "best.json").write_text(json.dumps({**best, "trial": 0, "refined": refined, "runners_up": [best]}))
    facts = shown(capsys, folder)
    assert [one["trial"] for one in facts["best"]] == [0, 2]
    assert facts["best"][0]["refined"] == refined
    assert facts["best"][1] == best
    (folder / "best.json").write_text("not JSON")
    assert [one["trial"] for one in shown(capsys, folder)["best"]] == [2, 0]


def test_a_run_without_any_score_is_shown(tmp_path, capsys):
    folder = run(tmp_path / "run", [trial(0, None)])
    assert main(["show", str(folder)]) == 0
    assert "1 failed" in capsys.readouterr().out
    assert shown(capsys, folder)["best"] == []


@pytest.mark.parametrize("command", ["show", "compare"])
def test_where_there_is_no_run_it_says_so(tmp_path, capsys, command):
    words = [str(tmp_path / "nowhere"), *([str(tmp_path)] if command == "compare" else [])]
    assert main([command, *words]) == 2
    assert f"error: there is no run in {tmp_path / 'nowhere'}" in capsys.readouterr().err
    (tmp_path / "trials.sqlite").write_text("no database at all, whatever its name")
    assert main([command, str(tmp_path), *(["x"] if command == "compare" else [])]) == 2
    assert "is no search journal" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["trials.sqlite"]


@pytest.mark.parametrize("top", ["0", "-1", "many"])
def test_a_wrong_number_is_refused(tmp_path, capsys, top):
    assert main(["show", str(tmp_path), f"--top={top}"]) == 2
    assert "--top: expected a whole number of at least 1" in capsys.readouterr().err


def test_seeds_are_summed_up_and_other_options_are_named(tmp_path, capsys):
    values = {3: 5.0, 4: 8.0, 5: 6.5}
    folders = [
        run(tmp_path / f"seed{seed}", [trial(0, value, cost=Cost(100 * seed, 10)), trial(1, 0.5)], seed=seed)
        for seed, value in values.items()
    ]
    folders.append(run(tmp_path / "random", [trial(0, 2.0)], strategy="random"))
    assert main(["compare", *map(str, folders), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["different_options"] == {"strategy": [*["evolution"] * 3, "random"], "seed": [3, 4, 5, 3]}
    assert [one["best"]["scores"]["wrcor"] for one in facts["runs"]] == [5.0, 8.0, 6.5, 2.0]
    assert [one["trials"] for one in facts["runs"]] == [2, 2, 2, 1]
    (seeds,) = facts["seeds"]
    assert seeds["seeds"] == [3, 4, 5]
    spread = {"mean": statistics.mean(values.values()), "standard_deviation": statistics.stdev(values.values())}
    assert seeds["best"] == pytest.approx(spread)
    assert seeds["flops"] == pytest.approx({"mean": 400, "standard_deviation": 100})
    assert seeds["trials"] == {"mean": 2, "standard_deviation": 0}


def test_people_see_the_comparison(tmp_path, capsys):
    folders = [str(run(tmp_path / f"s{seed}", [trial(0, float(seed))], seed=seed)) for seed in (1, 2)]
    assert main(["compare", *folders]) == 0
    out = capsys.readouterr().out
    assert "1.50 ± 0.71" in out
    assert "options that differ" in out
    assert main(["compare", folders[0], str(shutil.copytree(folders[0], tmp_path / "copy"))]) == 0
    out = capsys.readouterr().out
    assert "the options that decide the trials are the same in all runs" in out
    assert "over seeds" not in out  # there is one
    assert main(["compare", *folders, str(tmp_path / "copy"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seeds"][0]["seeds"] == [1, 2]


def test_a_seed_without_a_score_leaves_no_mean_of_the_others(tmp_path, capsys):
    folders = [str(run(tmp_path / f"s{n}", [trial(0, value)], seed=n)) for n, value in enumerate((1.0, None))]
    assert main(["compare", *folders, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["runs"][1]["best"] is None
    assert facts["seeds"][0]["best"] is None
    assert main(["compare", *folders]) == 0


def test_one_run_cannot_be_compared(tmp_path, capsys):
    folder = str(run(tmp_path / "run"))
    for again in (folder, f"{folder}/../run"):
        assert main(["compare", folder, again]) == 2
        assert "at least two different run folders" in capsys.readouterr().err


def test_a_vote_names_a_best_but_has_no_number(tmp_path, capsys):
    trials = [
        trial(n, evaluation=Evaluation("ok", {"wrcor": wrcor, "naswot": naswot}, 0.1))
        for n, (wrcor, naswot) in enumerate([(9.0, 5.0), (1.0, 1.0), (2.0, 2.0)])
    ]
    name = "vote:rank(wrcor,-naswot)"
    folders = [str(run(tmp_path / f"s{n}", trials[n:], proxies=[name], seed=n)) for n in range(2)]
    assert [one["trial"] for one in shown(capsys, folders[1])["best"]] == [1, 2]
    assert main(["show", folders[0]]) == 0
    assert f"best 3 by {name}" in capsys.readouterr().out
    assert main(["compare", *folders, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [one["objective"] for one in facts["runs"]] == [name] * 2
    assert facts["seeds"][0]["best"] is None
    assert main(["compare", *folders]) == 0
