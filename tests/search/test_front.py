"""Fronts of runs and of searches that go on: against the definition, trial by trial."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.trials import trial

from wrcor_ext.search.front import Front, Standing, reference_of, shown_ranks, volumes
from wrcor_ext.search.hypervolume import hypervolume
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.spaces import Cost

SCORE_AND_FLOPS = Objective.of(["wrcor"], ["flops"])


def made(number, wrcor, flops, **changes):
    scores = {"wrcor": wrcor, "naswot": float(number % 3)}
    evaluation = Evaluation("ok" if wrcor is not None else "failed", scores, 0.25)
    cost = None if flops is None else Cost(flops, 20)
    return trial(number, evaluation=evaluation, cost=cost, **changes)


def drawn(count, seed=0):
    """Trials of which some are equal, and some have no score or no cost."""
    rng = np.random.default_rng(seed)
    trials = []
    for number in range(count):
        wrcor = None if rng.random() < 0.1 else float(rng.integers(12))
        flops = None if rng.random() < 0.1 else int(rng.integers(1, 12))
        trials.append(made(number, wrcor, flops))
    return trials


def front_by_definition(trials):
    """Numbers of the trials that no other dominates, of equal ones the first, from the highest score on."""
    pairs = {t.trial: (t.evaluation.scores["wrcor"], t.flops) for t in trials}
    known = {n: pair for n, pair in pairs.items() if None not in pair}
    found, seen = [], set()
    for number, (score, flops) in known.items():
        beaten = any(s >= score and f <= flops and (s, f) != (score, flops) for s, f in known.values())
        if not beaten and (score, flops) not in seen:
            seen.add((score, flops))
            found.append(number)
    return sorted(found, key=lambda n: -known[n][0])


def test_of_one_proxy_the_best_so_far_is_the_first_of_equals():
    objective = Objective.named("wrcor")
    low, high, same, none = trial(0, 1.0), trial(1, 2.0), trial(2, 2.0), trial(3, None)
    standing = Standing(objective)
    assert (standing.best, standing.height, standing.volume) == (None, None, None)
    found = []
    for one in (none, low, high, same, none):
        standing.add(one)
        found.append(standing.best)
    assert found == [None, low, high, high, high]
    assert (standing.leaders, standing.height, standing.volume) == ([high], 2.0, None)
    assert Standing(objective, [high]).best is high


def test_a_vote_is_held_between_the_best_so_far_and_each_newcomer():
    objective = Objective.named("vote:rank(wrcor,naswot)")
    standing = Standing(objective, [made(0, 1.0, 1)])
    for newcomer, winner in ((made(1, 0.5, 1), 0), (made(2, 2.0, 1), 2), (made(3, 9.0, 1), 2)):
        standing.add(newcomer)
        assert standing.best.trial == winner
    assert standing.height is None


@pytest.mark.parametrize("seed", range(4))
def test_the_front_of_a_run(seed):
    trials = drawn(60, seed)
    front = Front.of(SCORE_AND_FLOPS, *SCORE_AND_FLOPS.table(trials))
    assert front.trials.tolist() == front_by_definition(trials)
    assert front.heights.tolist() == [[trials[n].evaluation.scores["wrcor"], -trials[n].flops] for n in front.trials]
    complete = [t for t in trials if t.flops is not None and t.evaluation.scores["wrcor"] is not None]
    assert front.reference_point == {
        "wrcor": min(t.evaluation.scores["wrcor"] for t in complete),
        "flops": max(t.flops for t in complete),
    }


@pytest.mark.parametrize("seed", range(4))
def test_trial_by_trial_it_is_the_front_of_the_trials_so_far(seed):
    trials, standing = drawn(60, seed), Standing(SCORE_AND_FLOPS)
    for number, one in enumerate(trials):
        standing.add(one)
        _, table = SCORE_AND_FLOPS.table(trials[: number + 1])
        assert {leader.trial for leader in standing.leaders} == set(front_by_definition(trials[: number + 1]))
        if standing.leaders:
            assert standing.best.trial == front_by_definition(trials[: number + 1])[0]
            assert standing.volume == pytest.approx(hypervolume(table, reference_of(SCORE_AND_FLOPS, table)), rel=1e-12)
    _, table = SCORE_AND_FLOPS.table(trials)
    over_time = volumes(table, reference_of(SCORE_AND_FLOPS, table))
    assert (np.diff(over_time) >= 0).all()
    assert over_time[-1] == pytest.approx(standing.volume, rel=1e-12)


def test_a_resumed_search_goes_on_where_it_was():
    trials = drawn(60)
    whole = Standing(SCORE_AND_FLOPS, trials)
    front = Front.of(SCORE_AND_FLOPS, *SCORE_AND_FLOPS.table(trials[:30]))
    resumed = Standing(SCORE_AND_FLOPS, [trials[n] for n in front.trials], front.reference.tolist())
    for one in trials[30:]:
        resumed.add(one)
    assert {t.trial for t in resumed.leaders} == {t.trial for t in whole.leaders}
    assert resumed.volume == pytest.approx(whole.volume, rel=1e-12)


def test_a_cheaper_isomorphic_candidate_takes_the_place_of_its_first():
    first = made(0, 5.0, 9)
    same, cheaper = first.repeated(1, "x", Cost(9, 20)), first.repeated(2, "y", Cost(7, 20))
    front = Front.of(SCORE_AND_FLOPS, *SCORE_AND_FLOPS.table([first, same]))
    assert front.trials.tolist() == [0]
    front = Front.of(SCORE_AND_FLOPS, *SCORE_AND_FLOPS.table([first, same, cheaper]))
    assert front.trials.tolist() == [2]


def test_a_vote_may_be_one_of_the_objectives():
    objective = Objective.of(["vote:rank(wrcor,naswot)"], ["flops"])
    trials = [made(0, 1.0, 5), made(1, 2.0, 4), made(2, 3.0, 6), made(3, None, 1)]
    trials.append(trials[2].repeated(4, "x", Cost(2, 20)))
    numbers, table = objective.table(trials)
    # Mean ranks of wrcor and naswot: 3 and 1 have them, the duplicate has no say.
    assert numbers.tolist() == [0, 1, 2, 3, 4]
    assert table[:, 1].tolist() == [-5, -4, -6, -1, -2]
    assert table[4, 0] == table[2, 0] == 1.0
    front = Front.of(objective, numbers, table)
    assert front.trials.tolist() == [4, 3]
    standing = Standing(objective, trials)
    assert {t.trial for t in standing.leaders} >= {4}
    assert standing.volume is None


def test_without_any_candidate_there_is_an_empty_front():
    front = Front.of(SCORE_AND_FLOPS, *SCORE_AND_FLOPS.table([made(0, None, 3), made(1, 1.0, None)]))
    assert (front.trials.tolist(), front.volume) == ([], 0.0)


def test_the_reference_point_may_be_given():
    objective = Objective.of(["wrcor"], ["flops"], [("flops", 5.0)])
    trials = [made(0, 3.0, 9), made(1, 1.0, 2), made(2, 2.0, 4)]
    front = Front.of(objective, *objective.table(trials))
    assert front.trials.tolist() == [0, 2, 1]
    assert front.reference_point == {"wrcor": 1.0, "flops": 5.0}
    assert front.volume == (2.0 - 1.0) * (5 - 4)
    assert Standing(objective, trials).volume == front.volume
    resumed = Standing(objective, trials[:2], Front.of(objective, *objective.table(trials[:2])).reference.tolist())
    resumed.add(trials[2])
    assert resumed.volume == front.volume


@pytest.mark.parametrize("count", [0, 1, 2, 19, 20, 21, 40, 1000])
def test_tables_show_members_evenly_spread_with_both_ends(count):
    ranks = shown_ranks(count)
    assert len(ranks) == min(count, 20)
    if count:
        assert (ranks[0], ranks[-1]) == (1, count)
        gaps = np.diff(ranks)
        assert not len(gaps) or (gaps.min() >= 1 and gaps.max() - gaps.min() <= 1)
