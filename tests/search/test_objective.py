"""What is maximised: proxies in their direction, votes over whoever is compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.trials import trial

from wrcor_ext import proxies, votes
from wrcor_ext.errors import InputError
from wrcor_ext.results import Trouble
from wrcor_ext.search import goal as goals
from wrcor_ext.search import pareto
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.spaces import Cost
from wrcor_ext.strategies import Highest

VOTES = [f"vote:{method}(snip,-jacob_cor,wrcor)" for method in votes.METHODS]


def scored(number, **scores):
    status = "failed" if all(score is None for score in scores.values()) else "ok"
    return trial(number, evaluation=Evaluation(status, scores, 0.25))


def drawn(count, seed=0):
    """Trials with values that repeat, of which some are missing."""
    rng = np.random.default_rng(seed)
    values = rng.integers(6, size=(count, 3)).astype(float)
    missing = rng.random((count, 3)) < 0.15
    names = ("snip", "jacob_cor", "wrcor")
    return [
        scored(n, **{name: None if missing[n, i] else values[n, i] for i, name in enumerate(names)})
        for n in range(count)
    ]


def values_of(objective, trials):
    return [objective.values(one) for one in trials]


def leaders(objective, trials, count):
    return objective.leaders([(one.trial, one.evaluation.scores) for one in trials if one.duplicate_of is None], count)


def test_of_one_proxy_the_highest_are_the_leaders_once_and_earlier_first():
    objective = Objective.named("act_grad_cor_weighted")
    trials = [trial(0, 1.0), trial(1, None), trial(2, 5.0), trial(3, 5.0)]
    trials.append(trials[2].repeated(4, "x", Cost(1, 1)))
    assert (objective.name, objective.proxies, objective.width) == ("wrcor", ("wrcor",), 1)
    assert leaders(objective, trials, 5) == [2, 3, 0]
    assert leaders(objective, trials, 2) == [2, 3]
    assert objective.chart_heights(trials) == [1.0, None, 5.0, 5.0, 5.0]
    assert leaders(objective, [trial(0, None)], 5) == []


def test_where_lower_is_better_the_lowest_leads(monkeypatch):
    turned = replace(proxies.get("wrcor"), higher_is_better=False)
    monkeypatch.setitem(proxies.registry._PROXIES, "wrcor", turned)
    objective = Objective.named("wrcor")
    trials = [trial(number, value) for number, value in enumerate((2.0, 0.5, None, 3.0))]
    assert objective.name == objective.height_name == "-wrcor"
    assert leaders(objective, trials, 2) == [1, 0]
    assert objective.chart_heights(trials) == [-2.0, -0.5, None, -3.0]


@pytest.mark.parametrize("seed", range(5))
def test_one_proxy_is_compared_by_its_number_alone(seed):
    objective = Objective.named("snip")
    values = values_of(objective, drawn(12, seed))
    assert objective.best(values) == Highest().best(values)
    assert objective.order(values) == Highest().order(values)


@pytest.mark.parametrize("name", VOTES)
@pytest.mark.parametrize("seed", range(3))
def test_a_vote_ranks_as_the_vote_of_the_library_does(name, seed):
    objective, trials = Objective.named(name), drawn(25, seed)
    outcome = votes.vote(name, [one.evaluation.scores for one in trials])
    values = values_of(objective, trials)
    assert objective.order(values) == list(outcome.order)
    assert objective.best(values) == outcome.order[0]
    assert leaders(objective, trials, 5) == list(outcome.order[:5])
    heights = objective.chart_heights(trials)
    scored_ones = sum(rank is not None for rank in outcome.ranks)
    for one, (height, rank) in enumerate(zip(heights, outcome.ranks, strict=True)):
        lower = None if rank is None else sum(other is not None and other > rank for other in outcome.ranks)
        assert height == (None if lower is None else lower / (scored_ones - 1)), one


def test_the_winner_of_a_vote_depends_on_who_takes_part():
    objective = Objective.named("vote:zscore(snip,wrcor)")
    a, b, far = (0.0, 3.0), (2.0, 0.0), (100.0, 0.0)
    assert objective.best([b, a]) == 0  # of two, each wins one member: equals, the first
    assert objective.best([b, a, far]) == 2
    assert objective.order([b, a, far])[1] == 1


def test_without_any_value_the_first_is_the_best_and_one_is_enough():
    for name in ("wrcor", *VOTES):
        objective = Objective.named(name)
        nobody, somebody = None, (1.0,) * objective.width
        assert objective.best([nobody, nobody]) == 0
        assert objective.best([nobody, somebody]) == 1
        assert objective.best([somebody]) == 0
        assert objective.order([nobody, somebody, nobody]) == [1, 0, 2]
        assert leaders(objective, [], 5) == []


def test_one_value_is_enough_for_a_say():
    objective = Objective.named("vote:rank(snip,-wrcor)")
    assert objective.values_of({"snip": None, "wrcor": 2.0, "naswot": 1.0}) == (None, -2.0)
    assert objective.values_of({"snip": None, "wrcor": None, "naswot": 1.0}) is None


def test_duplicates_have_no_vote_but_the_height_of_their_first():
    objective = Objective.named("vote:rank(snip,wrcor)")
    trials = [scored(0, snip=1.0, wrcor=5.0), scored(1, snip=2.0, wrcor=1.0), scored(2, snip=3.0, wrcor=2.0)]
    without = objective.chart_heights(trials)
    again = trials[0].repeated(3, "x", None)
    assert objective.chart_heights([*trials, again]) == [*without, without[0]]
    assert objective.chart_heights([*trials[1:], again]) == [0.0, 1.0, None]  # of a damaged journal
    assert objective.height_name == "share ranked lower by vote:rank(snip,wrcor)"


def test_an_architecture_that_was_scored_again_has_one_vote():
    objective = Objective.named("vote:rank(snip,jacob_cor)")
    low, middle, high = (scored(number, snip=float(number), jacob_cor=1.0) for number in range(3))
    trials = [low, middle, replace(low, trial=2), replace(low, trial=3), replace(high, trial=4)]
    assert objective.table(trials)[1][:, 0].tolist() == [0.0, 0.5, 0.0, 0.0, 1.0]


def test_of_very_many_the_best_by_mean_rank_hold_the_majority(monkeypatch):
    monkeypatch.setattr(goals, "MOST_IN_A_MAJORITY", 8)
    majority = Objective.named("vote:majority(snip,jacob_cor,wrcor)")
    values = values_of(majority, drawn(40))
    by_rank = Objective.named("vote:rank(snip,jacob_cor,wrcor)").order(values)
    finalists = sorted(by_rank[:8])
    order = majority.order(values)
    assert order[:8] == [finalists[place] for place in majority.order([values[index] for index in finalists])]
    assert order[8:] == by_rank[8:]


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="unknown proxy or vote 'wcor'"):
        Objective.named("wcor")


def test_heights_are_scores_or_places_in_a_vote():
    one = Objective.named("wrcor")
    np.testing.assert_array_equal(one.heights([(2.0,), None, (-1.0,)]), [[2.0], [np.nan], [-1.0]])
    vote = Objective.named("vote:rank(wrcor,naswot)")
    found = vote.heights([(1.0, 1.0), None, (5.0, 9.0), (1.0, 1.0)])
    np.testing.assert_array_equal(found, [[0.0], [np.nan], [1.0], [0.0]])


TWO = Objective.of(["wrcor"], ["flops"])


def test_of_several_objectives_the_values_are_all_of_them_or_none():
    known = trial(0, 2.0, cost=Cost(flops=30, params=4, memory=5, layers=6), latency=1.5)
    objective = Objective.of(["wrcor", "vote:rank(snip,naswot)", "params"], ["flops", "memory", "layers", "latency"])
    assert objective.values(known) == (2.0, None, 0.1, 4, -30, -5, -6, -1.5)  # snip has none, the vote is held without
    assert objective.ranking == (("wrcor",), ("snip", "naswot"))
    assert TWO.values(known) == (2.0, -30)
    assert TWO.values(trial(0, None)) is None
    assert TWO.values(trial(0, 2.0, cost=None)) is None
    assert Objective.of(["wrcor"], ["latency"]).values(trial(0, 2.0, latency=None)) is None


def test_the_order_is_front_by_front_and_on_each_from_the_loneliest_on():
    # The front: (0, 10), (1, 6), (3, 4), (4, 0), whose ends are 1/2 + 4/5 away from others, the rest 3/4 + 3/5.
    candidates = [(0.0, 5.0), (1.0, 6.0), None, (4.0, 0.0), (3.0, 4.0), (0.0, 10.0)]
    order = TWO.order(candidates)
    assert order[-1] == 2
    assert order[-2] == 0
    assert order[:4] == [1, 4, 3, 5]
    assert TWO.best(candidates) == 1
    assert TWO.heights(candidates).tolist()[1] == [1.0, 6.0]


@pytest.mark.parametrize("columns", [2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_the_best_is_the_first_in_order_and_on_the_front(seed, columns):
    objective = Objective.of(["wrcor"], ["flops", "params"][: columns - 1])
    rng = np.random.default_rng(seed)
    candidates = [
        None if rng.random() < 0.2 else tuple(rng.integers(5, size=columns).astype(float).tolist()) for _ in range(25)
    ]
    order, ranks = objective.order(candidates), pareto.ranks(objective.heights(candidates))
    assert sorted(order) == list(range(25))
    assert (np.diff(ranks[order]) >= 0).all()
    assert objective.best(candidates) == order[0]


def test_without_any_value_of_several_objectives_the_first_is_the_best():
    assert TWO.best([None, None]) == 0
    assert TWO.best([None, (1.0, 2.0)]) == 1
    assert TWO.order([None, (1.0, 2.0), None]) == [1, 0, 2]


def test_a_candidate_is_as_well_as_its_worst_objective_and_the_best_member_of_a_vote():
    degenerate, failed = Trouble("degenerate", "no"), Trouble("failed", "error")
    objective = Objective.of(["wrcor", "vote:rank(snip,naswot)"], ["flops"])
    for troubles, status in (
        ({}, "ok"),
        ({"snip": failed}, "ok"),
        ({"snip": failed, "naswot": degenerate}, "degenerate"),
        ({"wrcor": failed, "naswot": degenerate}, "failed"),
    ):
        scores = {name: None if name in troubles else 1.0 for name in ("wrcor", "snip", "naswot")}
        assert Evaluation.of(scores, troubles, objective.ranking, seconds=0.0).status == status
