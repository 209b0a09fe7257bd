"""`--refine`: who is scored again, how often, and in which order the best come out."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.trials import trial

from wrcor_ext import data, proxies, spaces, votes
from wrcor_ext.scoring import score
from wrcor_ext.search import main, session
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.refine import refine
from wrcor_ext.search.trial import Evaluation


def refined(table, repeats=10, objective="wrcor", members=("wrcor",)):
    """Refines one trial per row of repeats, each a value or one per member; also who was scored in which repeat.

    The trials' own scores fall from 100 on, so that the first given leads.
    """
    asked = []

    def scores(number, repeat):
        cell = table[number][repeat - 1]
        return dict(zip(members, cell if isinstance(cell, tuple) else (cell,), strict=True))

    def rescore(trials, repeat):
        asked.extend((one.trial, repeat) for one in trials)
        return {one.trial: scores(one.trial, repeat) for one in trials}

    own = [dict.fromkeys(members, 100.0 - number) for number in range(len(table))]
    trials = [trial(number, evaluation=Evaluation("ok", scores, 0.1)) for number, scores in enumerate(own)]
    return refine(trials, Objective.named(objective), rescore, repeats), asked


def test_near_ties_are_decided_by_the_mean_and_losers_are_left_alone():
    batches = 5 * np.random.default_rng(0).standard_normal(10)  # in common: they do not blur the differences
    noise = 0.3 * np.array([[1, -1], [-1, 1], [1, 1], [1, -1]] * np.ones((5, 1, 1))).transpose(1, 0, 2).reshape(4, 10)
    table = (np.array([10.0, 10.1, 5.0, 8.9])[:, None] + batches + noise).tolist()
    found, asked = refined(table)
    assert [one.trial.trial for one in found] == [1, 0, 3, 2]
    repeats = {one.trial.trial: one.repeats for one in found}
    assert repeats == {0: 10, 1: 10, 2: 4, 3: 4}
    assert len(asked) == sum(repeats.values())
    for one in found:
        values = np.array(table[one.trial.trial][: one.repeats])
        assert one.means["wrcor"] == pytest.approx(values.mean(), rel=1e-12)
        error = values.std(ddof=1) / np.sqrt(len(values))
        assert one.standard_errors["wrcor"] == pytest.approx(error, rel=1e-9)


def test_a_clear_lead_ends_it():
    found, asked = refined([[9.0, 9.1, 8.9, 9.0, 9.0], [1.0, 1.1, 0.9, 1.1, 1.0]])
    assert [one.repeats for one in found] == [4, 4]
    assert max(repeat for _, repeat in asked) == 4


def test_equals_keep_their_order_to_the_end():
    found, _ = refined([[2.0] * 6] * 3, repeats=6)
    assert [(one.trial.trial, one.means, one.standard_errors, one.repeats) for one in found] == [
        (number, {"wrcor": 2.0}, {"wrcor": 0.0}, 6) for number in range(3)
    ]


def test_who_has_no_score_in_a_repeat_falls_behind_the_others():
    found, _ = refined([[5.0, None], [4.0, 4.0], [3.0, 3.5]], repeats=2)
    assert [(one.trial.trial, one.repeats) for one in found] == [(1, 2), (2, 2), (0, 1)]


def test_one_or_no_candidate_needs_no_repeat():
    assert refined([]) == ([], [])
    (only,), asked = refined([[5.0, 1.0]])
    assert (only.means, only.standard_errors, only.repeats, asked) == ({"wrcor": 100.0}, {"wrcor": None}, 0, [])


def test_it_stops_when_it_is_told_to():
    assert refine([trial(0, 1.0), trial(1, 1.0)], Objective.named("wrcor"), lambda trials, repeat: None, 3) is None


def test_a_mean_is_the_proxys_own_where_lower_is_better(monkeypatch):
    turned = replace(proxies.get("wrcor"), higher_is_better=False)
    monkeypatch.setitem(proxies.registry._PROXIES, "wrcor", turned)
    found, _ = refined([[4.0, 4.0], [3.0, 4.0]], repeats=2)
    assert [(one.trial.trial, one.means["wrcor"]) for one in found] == [(1, 3.5), (0, 4.0)]


BY_RANK = {"objective": "vote:rank(snip,-naswot)", "members": ("snip", "naswot")}


def test_a_vote_is_held_over_the_means_of_its_members():
    # By the first repeat the first candidate wins both members, by the means it loses both.
    table = [[(9.0, -9.0), (0.0, 0.0)], [(3.0, 0.0), (7.0, -9.0)], [(1.0, 0.0), (1.0, 0.0)]]
    found, _ = refined(table, repeats=2, **BY_RANK)
    assert [one.trial.trial for one in found] == [1, 0, 2]
    assert found[0].means == {"snip": 5.0, "naswot": -4.5}
    assert votes.vote(BY_RANK["objective"], [one.means for one in found]).order == (0, 1, 2)


def test_whom_one_member_finds_near_stays_in_a_vote():
    steady = [(5.0, 1.0)] * 8
    by_both = [(1.0, 2.0)] * 8
    by_one = [(1.0, 1.0)] * 8
    found, _ = refined([steady, by_both, by_one], repeats=8, **BY_RANK)
    assert {one.trial.trial: one.repeats for one in found} == {0: 8, 1: 4, 2: 8}


def test_a_member_without_a_value_in_a_repeat_has_no_mean_and_its_candidate_comes_last_for_it():
    whole = [(5.0, 1.0)] * 5
    partly = [(5.0, 1.0), (5.0, None), *whole[2:]]
    without = [(5.0, 1.0), (None, None), *whole[2:]]
    found, _ = refined([without, partly, whole], repeats=5, **BY_RANK)
    assert [(one.trial.trial, one.means["naswot"], one.repeats) for one in found] == [
        (2, 1.0, 5),
        (1, None, 5),
        (0, 1.0, 1),
    ]


def test_scores_of_any_size_are_averaged():
    found, _ = refined([[1e200, 3e200], [2e200, 4e200]], repeats=2)
    assert [one.means["wrcor"] for one in found] == pytest.approx([3e200, 2e200])
    assert found[0].standard_errors["wrcor"] == pytest.approx(1e200)


def test_a_search_scores_its_best_again(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [*tiny, "--budget", "8", "--out", "a"]
    assert main([*words, "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert main([*words, "--resume", "--refine", "5", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["fingerprint"] == plain["fingerprint"]
    best = json.loads(Path("a/best.json").read_text())
    assert facts["best"] == [best, *best.pop("runners_up")]
    assert main(["show", "a", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["best"] == facts["best"]
    assert {one["trial"] for one in facts["best"]} == {one["trial"] for one in plain["best"]}
    assert all("refined" not in one for one in plain["best"])
    assert {one["refined"]["repeats"] for one in facts["best"]} <= {4, 5}

    # Independently of the search: repeat r is seed + r.
    first = facts["best"][0]
    space = spaces.get("nasbench201", stem_width=4, cells_per_stage=1)
    values = []
    for seed in range(1, first["refined"]["repeats"] + 1):
        batch = data.load("noise", batch_size=6, image_size=8, seed=seed)
        model = space.build(space.parse(first["architecture"]), num_classes=batch.num_classes, seed=seed)
        values.append(score(model, batch.images, batch.labels, tail="auto", seed=seed)["wrcor"].value)
    assert first["refined"]["mean"]["wrcor"] == pytest.approx(np.mean(values), rel=1e-14)

    assert main([*words, "--resume"]) == 0  # the run remembers the option
    captured = capsys.readouterr()
    assert "mean wrcor" in captured.out
    assert "trials: its best are scored again" in captured.err


def test_a_vote_is_refined_to_the_same_result_whatever_the_number_of_workers(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [*tiny, "--budget", "8", "--proxies", "vote:rank(snip,jacob_cor)", "naswot", "--refine", "3"]
    assert main([*words, "--out", "one"]) == 0
    assert "mean jacob_cor" in " ".join(capsys.readouterr().out.split())
    assert main([*words, "--workers", "2", "--budget", "5", "--out", "two"]) == 0
    assert main([*words, "--workers", "2", "--out", "two", "--resume"]) == 0
    assert Path("one/best.json").read_bytes() == Path("two/best.json").read_bytes()
    refined = json.loads(Path("one/best.json").read_text())["refined"]
    assert refined["repeats"] == 3
    assert set(refined["mean"]) == set(refined["standard_error"]) == {"snip", "jacob_cor", "naswot"}


def test_ctrl_c_leaves_the_order_of_the_search(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return refine(*arguments)

    monkeypatch.setattr(session, "refine", interrupted)
    assert main([*tiny, "--budget", "6", "--out", "a", "--refine", "3", "--json"]) == 130
    captured = capsys.readouterr()
    assert "stopped before the best were refined; to go on: " in captured.err
    assert all("refined" not in one for one in json.loads(captured.out)["best"])
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert main(["--out", "a", "--resume", "--json"]) == 0
    assert "refined" in json.loads(capsys.readouterr().out)["best"][0]
