"""Local search against its own definition: who is a neighbour of whom, and when it climbs or begins anew."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.toy import EndlessToySpace, ToySpace

from wrcor_ext import spaces, strategies
from wrcor_ext.errors import InputError
from wrcor_ext.limited_space import LimitedSpace
from wrcor_ext.spaces import Limits
from wrcor_ext.strategies import Highest
from wrcor_ext.strategies.local import LocalSearch

NEIGHBOURS = 16  # of a toy


def distance(one, other):
    return sum(a != b for a, b in zip(one, other, strict=True))


def started(space=None, at=(2, 2, 2, 2), value=0.0, **options):
    """A search whose incumbent is `at`."""
    strategy = LocalSearch(space or ToySpace(), seed=1, **options)
    strategy.tell([(at, value)])
    return strategy


def incumbent(strategy):
    found = strategy.state()["incumbent"]
    return None if found is None else tuple(map(int, found[0].split("-")))


def test_all_neighbours_are_asked_for_once_in_random_order_before_anything_else():
    strategy = started()
    asked = strategy.ask(NEIGHBOURS)
    assert sorted(asked) == sorted(ToySpace().neighbours((2, 2, 2, 2))) != asked
    assert started(at=(2, 2, 2, 2)).ask(NEIGHBOURS) == asked
    rest = strategy.ask(40)
    assert max(distance(arch, (2, 2, 2, 2)) for arch in rest) > 1


def test_it_moves_to_the_best_of_the_first_group_with_a_better_one():
    strategy = started()
    strategy.tell([(arch, -1.0) for arch in strategy.ask(5)])
    assert incumbent(strategy) == (2, 2, 2, 2)
    group = strategy.ask(5)
    strategy.tell(list(zip(group, [None, 1.0, 3.0, 2.0, -1.0], strict=True)))
    assert incumbent(strategy) == group[2]


def test_or_to_the_best_of_all():
    strategy = started(move="best")
    group = strategy.ask(5)
    strategy.tell(list(zip(group, [None, 1.0, 3.0, 2.0, -1.0], strict=True)))
    assert incumbent(strategy) == (2, 2, 2, 2)
    for _ in range(NEIGHBOURS - 6):
        strategy.tell([(strategy.ask()[0], 0.5)])
    assert incumbent(strategy) == (2, 2, 2, 2)
    strategy.tell([(strategy.ask()[0], 2.5)])
    assert incumbent(strategy) == group[2]


def test_an_equal_is_not_better_and_a_local_optimum_is_left_for_a_new_start():
    strategy = started()
    strategy.tell([(arch, 0.0) for arch in strategy.ask(NEIGHBOURS)])
    assert incumbent(strategy) is None
    (start,) = strategy.ask()
    strategy.tell([(start, -5.0)])
    assert incumbent(strategy) == start


def test_what_the_last_neighbourhood_shares_is_not_asked_for_again():
    strategy = started()
    before = strategy.ask(NEIGHBOURS)
    better = before[3]
    strategy.tell([(arch, 1.0 if arch == better else -1.0) for arch in before])
    after = strategy.ask(NEIGHBOURS - 4)
    assert set(after) == set(ToySpace().neighbours(better)) - set(before) - {(2, 2, 2, 2)}


def test_the_next_start_is_the_best_random_architecture_since_the_last():
    strategy = started()
    group = strategy.ask(NEIGHBOURS + 4)
    strategy.tell([*((arch, -9.0) for arch in group[:NEIGHBOURS]), *zip(group[-4:], [-7, -5, -6, None], strict=True)])
    assert incumbent(strategy) == group[-3]
    # It was used up: the next one comes from new random architectures.
    strategy.tell([(arch, -9.0) for arch in strategy.ask(NEIGHBOURS)])
    assert incumbent(strategy) is None


def test_candidates_without_a_score_start_nothing():
    strategy = LocalSearch(ToySpace(), seed=0)
    for _ in range(3):
        strategy.tell([(arch, None) for arch in strategy.ask(4)])
        assert incumbent(strategy) is None


@pytest.mark.parametrize("space", [ToySpace(), EndlessToySpace()])
def test_patience_bounds_a_neighbourhood(space):
    strategy = started(space, patience=3)
    asked = strategy.ask(3)
    assert len(set(asked)) == 3
    assert {distance(arch, (2, 2, 2, 2)) for arch in asked} == {1}
    strategy.tell([(arch, -1.0) for arch in asked])
    assert incumbent(strategy) is None


def test_mutations_are_neighbours_where_none_are_listed_each_of_them_once():
    strategy = started(EndlessToySpace(), patience=10**6)
    asked = []
    while distance((arch := strategy.ask()[0]), (2, 2, 2, 2)) == 1:
        asked.append(arch)
    assert len(set(asked)) == len(asked) > NEIGHBOURS / 2


@pytest.mark.parametrize("space", [ToySpace(), EndlessToySpace()])
def test_neighbours_outside_the_limits_are_passed_over(space):
    within = LimitedSpace(space, Limits(params=18))
    asked = started(within).ask(30)
    assert all(map(within.admits, asked))
    if space.size is not None:  # where neighbours are listed, they come first
        allowed = {arch for arch in ToySpace().neighbours((2, 2, 2, 2)) if sum(arch) <= 8}
        assert set(asked[: len(allowed)]) == allowed


def test_a_space_of_one_architecture_is_proposed_again_and_again():
    class Lonely(EndlessToySpace):
        def sample(self, rng, *, limits=None):
            return (1, 1, 1, 1)

        def mutate(self, arch, rng, *, limits=None):
            raise InputError("it is the only one")

    strategy = started(Lonely(), at=(1, 1, 1, 1))
    for _ in range(3):
        asked = strategy.ask(2)
        assert asked == [(1, 1, 1, 1)] * 2
        strategy.tell([(arch, 1.0) for arch in asked])


def test_results_that_come_after_a_move_still_count():
    strategy = started()
    first, second = strategy.ask(2), strategy.ask(2)
    strategy.tell([(first[0], 1.0), (first[1], None)])
    assert incumbent(strategy) == first[0]
    strategy.tell([(second[0], 0.5), (second[1], 2.0)])
    assert incumbent(strategy) == second[1]


def test_the_preference_decides_what_is_better():
    class Lowest(Highest):
        def best(self, candidates):
            return min(range(len(candidates)), key=lambda index: candidates[index][0])

    strategy = LocalSearch(ToySpace(), seed=0, preference=Lowest())
    strategy.tell([((2, 2, 2, 2), 0.0)])
    group = strategy.ask(3)
    strategy.tell(list(zip(group, [1.0, -1.0, 2.0], strict=True)))
    assert incumbent(strategy) == group[1]


@pytest.mark.parametrize("move", ["first", "best"])
@pytest.mark.parametrize("group", [1, 8])
def test_it_ends_at_the_top_of_one_hill_and_begins_anew(move, group):
    """Sums of digits have one local optimum, the highest: it is found from every start, and left for another one."""
    strategy = LocalSearch(ToySpace(), seed=4, move=move)
    tops, before = 0, None
    for _ in range(600 // group):
        strategy.tell([(arch, float(sum(arch))) for arch in strategy.ask(group)])
        now = incumbent(strategy)
        if before == (4, 4, 4, 4) != now:
            tops += 1
        elif before is not None:
            assert now == before or sum(now) > sum(before)
        before = now
    assert tops >= 3


def test_a_state_in_the_middle_of_a_neighbourhood_is_small_and_goes_on():
    space = spaces.get("nasbench101")
    strategy = LocalSearch(space, seed=0)
    rng = np.random.default_rng(0)
    for _ in range(10):
        strategy.tell([(arch, float(rng.random())) for arch in strategy.ask(8)])
    state = json.dumps(strategy.state())
    assert len(state) < 20_000
    other = LocalSearch(space, seed=1)
    other.restore(json.loads(state))
    assert other.ask(8) == strategy.ask(8)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"move": "second"}, "move 'second': must be one of first, best"), ({"patience": 0}, "patience 0")],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(InputError, match=sentence):
        LocalSearch(ToySpace(), seed=0, **options)


@pytest.mark.parametrize("change", [{"incumbent": ["9-9", [1.0]]}, {"position": 99}, {"asked": None}, {"left": "x"}])
def test_a_damaged_state_is_refused(change):
    with pytest.raises(InputError):
        strategies.create("local", ToySpace(), seed=0).restore({**started().state(), **change})
