"""Runs for several objectives that are shown and compared: against the definitions, member by member."""

from __future__ import annotations

import json
import statistics
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from helpers.trials import trial

from wrcor_ext.reporting import consoles
from wrcor_ext.search import main, runs
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.hypervolume import hypervolume
from wrcor_ext.search.rival_fronts import contests
from wrcor_ext.search.study import Study
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.spaces import Cost

CONFIG = SearchConfig(maximize=["wrcor"], minimize=["flops"], proxies=["naswot"], budget=30)
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
ENVIRONMENT = {"torch": "2.14", "batch_sha256": "0123456789abcdef"}

# Score and FLOPs. Of A all but the third, of B all are on the front; one point is on both.
A = [(9.0, 50), (5.0, 20), (4.0, 30), (1.0, 10)]
B = [(8.0, 40), (5.0, 20), (2.0, 15)]


def run(folder, points, first=0, **options):
    """A run of these points; trial n has the key of number `first` + n."""
    with Study(folder, replace(CONFIG, **options), ENVIRONMENT) as study:
        for number, (score, flops) in enumerate(points):
            cost = None if flops is None else Cost(flops, 20)
            evaluation = Evaluation("ok" if score is not None else "failed", {"wrcor": score, "naswot": 0.1}, 0.25)
            study.journal.append(
                trial(number, architecture=CELL, evaluation=evaluation, cost=cost, key=f"key {first + number}")
            )
        study.export()
    return folder


def contested(*folders):
    with ExitStack() as stack:
        return contests([stack.enter_context(runs.opened(folder)) for folder in folders])


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setattr(consoles, "PIPE_WIDTH", 300)


def facts(capsys, *words):
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_fronts_are_measured_from_one_point_and_against_each_other(tmp_path):
    a, b = run(tmp_path / "a", A), run(tmp_path / "b", B, first=1)
    (contest,) = contested(a, b)
    assert contest.objectives == ("wrcor", "-flops")
    assert contest.reference == {"wrcor": 1.0, "flops": 50.0}  # the worst of A, in both
    of_a, of_b = contest.rivals[str(a)], contest.rivals[str(b)]
    # Boxes above a score of 1 and 50 FLOPs: of A the second one only, of B a staircase of three.
    assert of_a.volume == (5 - 1) * (50 - 20)
    assert of_b.volume == (8 - 1) * (50 - 40) + (5 - 1) * (40 - 20) + (2 - 1) * (20 - 15)
    assert (of_a.size, of_b.size) == (3, 3)
    assert (of_a.unbeaten, of_b.unbeaten) == (3, 3)  # none beats another, and equals beat nobody
    assert (of_a.shared, of_b.shared) == (2, 2)  # keys 0, 1 and 3 of A, 1 to 3 of B


@pytest.mark.parametrize("seed", range(4))
def test_random_fronts_agree_with_the_definitions(tmp_path, seed):
    rng = np.random.default_rng(seed)
    drawn = [[(float(s), int(f)) for s, f in rng.integers(1, 15, size=(20, 2))] for _ in range(3)]
    folders = [run(tmp_path / f"{number}", points, first=7 * number) for number, points in enumerate(drawn)]
    (contest,) = contested(*folders)
    lowest, dearest = min(s for p in drawn for s, _ in p), max(f for p in drawn for _, f in p)
    assert contest.reference == {"wrcor": lowest, "flops": dearest}

    def beats(one, other):
        return one != other and one[0] >= other[0] and one[1] <= other[1]

    fronts = [  # of equals the first
        {p: n for n, p in reversed(list(enumerate(points))) if not any(beats(q, p) for q in points)} for points in drawn
    ]
    keys = [{7 * number + n for n in front.values()} for number, front in enumerate(fronts)]
    for number, (folder, front) in enumerate(zip(folders, fronts, strict=True)):
        rival = contest.rivals[str(folder)]
        others = [q for other, points in enumerate(fronts) if other != number for q in points]
        assert rival.size == len(front)
        assert rival.unbeaten == sum(not any(beats(q, p) for q in others) for p in front)
        assert rival.shared == sum(any(key in keys[o] for o in range(3) if o != number) for key in keys[number])
        heights = np.array([(s, -f) for s, f in front], dtype=np.float64)
        assert rival.volume == pytest.approx(hypervolume(heights, np.array([lowest, -dearest], dtype=np.float64)))


def test_only_runs_for_the_same_objectives_are_measured_together(tmp_path):
    a, b = run(tmp_path / "a", A), run(tmp_path / "b", B, maximize=["naswot"], proxies=["wrcor"])
    alone = run(tmp_path / "alone", A, maximize=[], minimize=[])
    first, second = contested(a, b, alone)
    assert (list(first.rivals), list(second.rivals)) == ([str(a)], [str(b)])


def test_a_front_without_members_gives_no_reference_point(tmp_path):
    a, nobody = run(tmp_path / "a", A), run(tmp_path / "nobody", [(None, 10), (3.0, None)], seed=1)
    (contest,) = contested(nobody, a)
    assert contest.reference == {"wrcor": 1.0, "flops": 50.0}
    empty = contest.rivals[str(nobody)]
    assert (empty.size, empty.volume, empty.unbeaten, empty.shared) == (0, 0.0, 0, 0)


def test_shares_of_a_vote_are_not_compared(tmp_path, capsys):
    folders = [
        run(tmp_path / str(seed), A, maximize=["vote:rank(wrcor,naswot)"], proxies=[], seed=seed) for seed in (0, 1)
    ]
    (contest,) = contested(*folders)
    assert {(rival.volume, rival.unbeaten) for rival in contest.rivals.values()} == {(None, None)}
    assert main(["compare", *map(str, folders)]) == 0
    assert "shares of a vote are of one run" in capsys.readouterr().out


def test_hypervolumes_are_summed_up_over_seeds(tmp_path, capsys):
    a, b = run(tmp_path / "a", A, seed=1), run(tmp_path / "b", B, seed=2)
    compared = facts(capsys, "compare", a, b)
    (contest,) = compared["fronts"]
    volumes = [one["hypervolume"] for one in contest["runs"]]
    assert contest["reference_point"] == {"wrcor": 1.0, "flops": 50.0}
    (seeds,) = compared["seeds"]
    spread = {"mean": statistics.mean(volumes), "standard_deviation": statistics.stdev(volumes)}
    assert seeds["hypervolume"] == pytest.approx(spread)
    assert seeds["front_size"] == {"mean": 3, "standard_deviation": 0}
    assert seeds["best"]["mean"] == (9 + 8) / 2  # by the first objective
    assert [one["best"]["trial"] for one in compared["runs"]] == [0, 0]
    assert main(["compare", str(a), str(b)]) == 0
    out = capsys.readouterr().out
    assert "fronts by wrcor, -flops" in out
    assert "hypervolumes above wrcor 1.00, FLOPs 50.0" in out
    assert "137.5 ± 24.75" in out


def test_a_front_is_shown_by_rank(tmp_path, capsys):
    points = [(float(n), 10 + n) for n in range(9)]
    folder = run(tmp_path / "run", points)
    shown = facts(capsys, "show", folder, "--top", 3)
    assert [(one["rank"], one["trial"]) for one in shown["front"]] == [(1, 8), (5, 4), (9, 0)]
    assert (shown["front_size"], shown["objectives"]) == (9, ["wrcor", "-flops"])
    assert shown["reference_point"] == {"wrcor": 0.0, "flops": 18}
    assert shown["hypervolume"] == sum(18 - 10 - n for n in range(1, 9))
    assert "best" not in shown
    assert main(["show", str(folder), "--top", "3"]) == 0
    out = capsys.readouterr().out
    assert "3 of the front of 9 by wrcor, -flops" in out
    assert "hypervolume 28.00 above wrcor 0.00, FLOPs 18.0" in out
    assert [one["trial"] for one in facts(capsys, "show", folder, "--top", 1)["front"]] == [8]


def test_a_merged_run_says_so(tmp_path, capsys):
    with Study(tmp_path / "run", CONFIG, {**ENVIRONMENT, "merged": "2 of 3 shards"}) as study:
        study.journal.append(trial(0))
        study.export()
    assert main(["show", str(tmp_path / "run")]) == 0
    assert "stopped, 1 of 30 trials, merged from 2 of 3 shards" in capsys.readouterr().out
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Stopped after 1 of 30 trials. Merged from 2 of 3 shards. Maximises wrcor. Minimises FLOPs." in page
