"""`--refine`: who is scored again, how often, and in which order the best come out."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.trials import trial

from wrcor_ext import data, proxies, spaces
from wrcor_ext.scoring import score
from wrcor_ext.search import cli, main
from wrcor_ext.search.refine import Leader, leader, refine


def never():
    return False


def refined(table, repeats=10, stop=never):
    """Refines one trial per row of repeats; also who was scored how often again."""
    asked = []

    def objective(one, repeat):
        asked.append((one.trial, repeat))
        return table[one.trial][repeat]

    found = refine([trial(number, row[0]) for number, row in enumerate(table)], objective, repeats, stop)
    return found, asked


def test_near_ties_are_decided_by_the_mean_and_losers_are_left_alone():
    batches = 5 * np.random.default_rng(0).standard_normal(10)  # in common: they do not blur the differences
    noise = 0.3 * np.array([[1, -1], [-1, 1], [1, 1], [1, -1]] * np.ones((5, 1, 1))).transpose(1, 0, 2).reshape(4, 10)
    table = (np.array([10.0, 10.1, 5.0, 8.9])[:, None] + batches + noise).tolist()
    found, asked = refined(table)
    assert [one.trial.trial for one in found] == [1, 0, 3, 2]
    repeats = {one.trial.trial: one.repeats for one in found}
    assert repeats == {0: 10, 1: 10, 2: 4, 3: 4}
    assert len(asked) == sum(repeats.values()) - 4
    for one in found:
        values = np.array(table[one.trial.trial][: one.repeats])
        assert one.mean == pytest.approx(values.mean(), rel=1e-12)
        assert one.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(len(values)), rel=1e-9)


def test_a_clear_lead_ends_it():
    found, asked = refined([[9.0, 9.1, 8.9, 9.0, 9.0], [1.0, 1.1, 0.9, 1.1, 1.0]])
    assert [one.repeats for one in found] == [4, 4]
    assert max(repeat for _, repeat in asked) == 3


def test_equals_keep_their_order_to_the_end():
    found, _ = refined([[2.0] * 6] * 3, repeats=6)
    assert [(one.trial.trial, one.mean, one.standard_error, one.repeats) for one in found] == [
        (number, 2.0, 0.0, 6) for number in range(3)
    ]


def test_who_has_no_score_in_a_repeat_falls_behind_the_others():
    found, _ = refined([[5.0, None], [4.0, 4.0], [3.0, 3.5]], repeats=2)
    assert [(one.trial.trial, one.repeats) for one in found] == [(1, 2), (2, 2), (0, 1)]


def test_one_or_no_candidate_needs_no_repeat():
    assert refined([]) == ([], [])
    (only,), asked = refined([[5.0, 1.0]])
    assert (only, asked) == (Leader(trial(0, 5.0), 5.0), [])


def test_it_stops_when_it_is_told_to():
    assert refined([[1.0, 2.0], [1.0, 2.0]], stop=lambda: True) == (None, [])


def test_a_mean_is_the_proxys_own_where_lower_is_better(monkeypatch):
    turned = replace(proxies.get("wrcor"), higher_is_better=False)
    monkeypatch.setitem(proxies.registry._PROXIES, "wrcor", turned)
    assert leader(trial(0, 3.0)).mean == 3.0
    found = refine([trial(0, 3.0), trial(1, 4.0)], lambda one, repeat: -4.0, 2, never)
    assert [(one.trial.trial, one.mean) for one in found] == [(0, 3.5), (1, 4.0)]


def test_a_search_scores_its_best_again(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [*tiny, "--budget", "8", "--out", "a"]
    assert main([*words, "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert main([*words, "--resume", "--refine", "5", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["fingerprint"] == plain["fingerprint"]
    assert facts["best"][0] == json.loads(Path("a/best.json").read_text())
    assert {one["trial"] for one in facts["best"]} == {one["trial"] for one in plain["best"]}
    assert all("refined" not in one for one in plain["best"])
    assert {one["refined"]["repeats"] for one in facts["best"]} <= {4, 5}

    # Independently of the search: repeat r is seed + r.
    first = facts["best"][0]
    space = spaces.get("nasbench201", stem_width=4, cells_per_stage=1)
    values = []
    for seed in range(first["refined"]["repeats"]):
        batch = data.load("noise", batch_size=6, image_size=8, seed=seed)
        model = space.build(space.parse(first["architecture"]), num_classes=batch.num_classes, seed=seed)
        values.append(score(model, batch.images, batch.labels, tail="auto", seed=seed)["wrcor"].value)
    assert first["refined"]["mean"] == pytest.approx(np.mean(values), rel=1e-14)

    assert main([*words, "--resume"]) == 0  # the run remembers the option
    assert "mean wrcor" in capsys.readouterr().out


def test_ctrl_c_leaves_the_order_of_the_search(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return refine(*arguments)

    monkeypatch.setattr(cli, "refine", interrupted)
    assert main([*tiny, "--budget", "6", "--out", "a", "--refine", "3", "--json"]) == 130
    captured = capsys.readouterr()
    assert "stopped before the best were refined; to go on: " in captured.err
    assert all("refined" not in one for one in json.loads(captured.out)["best"])
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert main(["--out", "a", "--resume", "--json"]) == 0
    assert "refined" in json.loads(capsys.readouterr().out)["best"][0]
