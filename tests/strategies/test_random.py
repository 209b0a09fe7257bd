"""Random search: without replacement wherever architectures have numbers."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from helpers.toy import EndlessToySpace, ToySpace

from wrcor_ext import spaces, strategies
from wrcor_ext.errors import InputError
from wrcor_ext.limited_space import LimitedSpace
from wrcor_ext.spaces import Limits
from wrcor_ext.strategies import random


def drawn(space, seed=0, group=7):
    """All that is proposed, in groups."""
    strategy, found = strategies.create("random", space, seed=seed), []
    while archs := strategy.ask(group):
        found += archs
    assert strategy.ask(group) == []
    return found


def test_every_architecture_is_proposed_once_and_then_nothing():
    assert sorted(drawn(ToySpace())) == list(ToySpace().enumerate())


def test_within_limits_too():
    space = LimitedSpace(ToySpace(), Limits(params=13))
    assert sorted(drawn(space)) == [arch for arch in ToySpace().enumerate() if sum(arch) <= 3]


def test_the_first_draw_is_uniform_over_those_within_the_limits():
    space = LimitedSpace(ToySpace(), Limits(params=12))
    counts = Counter(strategies.create("random", space, seed=seed).ask()[0] for seed in range(1500))
    assert set(counts) == {arch for arch in ToySpace().enumerate() if sum(arch) <= 2}
    # Chi-squared with 14 degrees of freedom: above 36.1 in one of a thousand; the seeds are fixed.
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 36.1


def test_where_nothing_has_a_number_draws_are_independent():
    rng, space = np.random.Generator(np.random.PCG64(3)), EndlessToySpace()
    assert strategies.create("random", space, seed=3).ask(50) == [space.sample(rng) for _ in range(50)]


def test_the_end_of_a_space_that_is_too_large_to_walk_is_a_long_row_of_refusals(monkeypatch):
    monkeypatch.setattr(random, "MOST_REFUSED", 40)
    space = LimitedSpace(ToySpace(), Limits(params=12))
    found = drawn(space)
    assert 0 < len(found) < 15
    assert all(map(space.admits, found))


def test_the_state_is_small_and_restored_at_once_in_the_largest_benchmark():
    space = spaces.get("nasbench101")
    strategy = strategies.create("random", space, seed=0)
    first = strategy.ask(3000)
    assert len(set(map(space.key, first))) == 3000
    state = json.dumps(strategy.state())
    assert len(state) < 500
    other = strategies.create("random", space, seed=1)
    other.restore(json.loads(state))
    assert other.ask(5) == strategy.ask(5)


def test_a_state_of_a_release_that_drew_with_replacement_goes_on_so():
    rng = np.random.Generator(np.random.PCG64(5))
    old = {"strategy": "random", "generator": rng.bit_generator.state}
    strategy = strategies.create("random", ToySpace(), seed=0)
    strategy.restore(json.loads(json.dumps(old)))
    assert strategy.ask(30) == [ToySpace().sample(rng) for _ in range(30)]
    assert set(strategy.state()) == {"strategy", "generator"}


@pytest.mark.parametrize(
    ("space", "change"),
    [(ToySpace(), {"position": 626}), (ToySpace(), {"position": None}), (EndlessToySpace(), {})],
)
def test_a_position_that_does_not_fit_the_space_is_refused(space, change):
    state = {**strategies.create("random", ToySpace(), seed=0).state(), **change}
    with pytest.raises(InputError, match="damaged"):
        strategies.create("random", space, seed=0).restore(state)
