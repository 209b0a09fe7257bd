"""What every strategy promises, checked for every entry of the registry."""

from __future__ import annotations

import json
import math
import random
from collections import deque

import numpy as np
import pytest
import torch
from helpers.every_strategy import EVERY_STRATEGY
from helpers.toy import EndlessToySpace, ToySpace

from wrcor_ext import strategies
from wrcor_ext.errors import InputError
from wrcor_ext.limited_space import LimitedSpace
from wrcor_ext.spaces import Limits

SMALL = {"population_size": 6, "tournament_size": 3, "warm_up": 5, "learning_rate": 0.1, "patience": 5}
LIMITS = Limits(params=17)  # a toy costs 10 and the sum of its digits
SPACES = {
    "numbered": ToySpace,
    "endless": EndlessToySpace,
    "limited": lambda: LimitedSpace(ToySpace(), LIMITS),
    "limited and endless": lambda: LimitedSpace(EndlessToySpace(), LIMITS),
}
NEEDS_NUMBERS = {"exhaustive"}


def made(name, seed=0, preference=None, space="numbered"):
    return strategies.create(name, SPACES[space](), seed=seed, preference=preference, **SMALL)


def value_of(arch):
    return None if sum(arch) % 7 == 3 else float(sum(arch))


def advanced(strategy, steps):
    """Asks and tells one by one, and returns what was asked."""
    asked = []
    for _ in range(steps):
        (arch,) = strategy.ask()
        strategy.tell([(arch, value_of(arch))])
        asked.append(arch)
    return asked


@pytest.fixture(params=EVERY_STRATEGY)
def name(request):
    return request.param


in_every_space = pytest.mark.parametrize(
    ("name", "space"),
    [(n, s) for n in EVERY_STRATEGY for s in SPACES if not ("endless" in s and n in NEEDS_NUMBERS)],
)


@in_every_space
def test_the_seed_decides_the_proposals(name, space):
    first, second, other = (advanced(made(name, seed, space=space), 40) for seed in (1, 1, 2))
    assert first == second
    assert (first != other) == (name != "exhaustive")  # which goes by the published order


@in_every_space
def test_proposals_are_within_the_limits_of_the_space(name, space):
    whole = SPACES[space]()
    proposed = advanced(made(name, space=space), 60)
    assert all(whole.admits(arch) and whole.parse(whole.format(arch)) == arch for arch in proposed)
    assert all(sum(arch) <= 7 for arch in proposed) == ("limited" in space)


@in_every_space
@pytest.mark.parametrize(("group", "ahead"), [(1, 1), (3, 0), (8, 1)])
def test_restored_at_any_moment_it_goes_on_exactly(name, space, group, ahead):
    """Groups are told before the next is asked for, or `ahead` groups later."""
    original, waiting, moments = made(name, space=space), deque(), []

    def step(strategy, waiting, ask):
        if ask:
            waiting.append(strategy.ask(group))
            return waiting[-1]
        strategy.tell([(arch, value_of(arch)) for arch in waiting.popleft()])
        return None

    steps = [True] * ahead + [True, False] * 6
    for ask in steps:
        moments.append((json.dumps(original.state()), [list(one) for one in waiting]))
        moments[-1] += (step(original, waiting, ask),)
    for begin in range(0, len(steps), 5):
        strategy = made(name, seed=99, space=space)
        strategy.restore(json.loads(moments[begin][0]))
        waiting = deque(moments[begin][1])
        for ask, (state, _, proposed) in zip(steps[begin:], moments[begin:], strict=True):
            assert json.dumps(strategy.state()) == state
            assert step(strategy, waiting, ask) == proposed


def test_no_global_generator_is_read_or_changed(name):
    reference = advanced(made(name), 20)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 (the global state is what is watched here)
    torch.manual_seed(5)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002
    assert advanced(made(name), 20) == reference
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before  # noqa: NPY002


@pytest.mark.parametrize("steps", [0, 1, 5, 6, 7, 30])
def test_a_state_goes_through_json_and_continues_exactly(name, steps):
    original = made(name)
    advanced(original, steps)
    text = json.dumps(original.state())
    other = made(name, seed=99)
    other.restore(json.loads(text))
    assert json.dumps(other.state()) == text
    assert advanced(other, 25) == advanced(original, 25)


def test_a_state_taken_between_ask_and_tell_continues_exactly(name):
    original = made(name)
    advanced(original, 9)
    asked = original.ask(4)
    other = made(name)
    other.restore(json.loads(json.dumps(original.state())))
    for strategy in (original, other):
        strategy.tell([(arch, value_of(arch)) for arch in asked])
    assert advanced(other, 20) == advanced(original, 20)


def test_asking_for_many_before_telling_works(name):
    strategy = made(name)
    assert len(strategy.ask(20)) == 20
    assert strategy.ask(0) == []


class Lowest:
    """A preference among pairs: the lower sum of what there is, of equals the first."""

    width = 2

    def best(self, candidates):
        return self.order(candidates)[0]

    def order(self, candidates):
        sums = [math.inf if pair is None else sum(value or 0.0 for value in pair) for pair in candidates]
        return sorted(range(len(sums)), key=sums.__getitem__)


def advanced_by_pairs(strategy, steps):
    asked = []
    for _ in range(steps):
        (arch,) = strategy.ask()
        pair = (value_of(arch), None if arch[0] == 2 else float(arch[0]))
        strategy.tell([(arch, pair)])
        asked.append(arch)
    return asked


@pytest.mark.parametrize("steps", [0, 5, 7, 30])
def test_with_several_values_a_state_continues_exactly_too(name, steps):
    original = made(name, preference=Lowest())
    advanced_by_pairs(original, steps)
    text = json.dumps(original.state())
    other = made(name, seed=99, preference=Lowest())
    other.restore(json.loads(text))
    assert json.dumps(other.state()) == text
    assert advanced_by_pairs(other, 25) == advanced_by_pairs(original, 25)


def test_a_number_is_one_value_and_no_value_is_no_score(name):
    number, value = made(name), made(name)
    arch = (1, 2, 3, 4)
    number.tell([(arch, 2.5), (arch, None)])
    value.tell([(arch, (2.5,)), (arch, (None,))])
    assert number.state() == value.state()


@pytest.mark.parametrize("told", [(1.0, 2.0), ()])
def test_more_or_fewer_values_than_are_compared_are_refused(name, told):
    with pytest.raises(InputError, match=f"{len(told)} scores of 1-2-3-4: the strategy compares 1"):
        made(name).tell([((1, 2, 3, 4), told)])


def test_one_of_several_values_that_is_not_finite_is_refused(name):
    with pytest.raises(InputError, match="score nan of 1-2-3-4 is not finite"):
        made(name, preference=Lowest()).tell([((1, 2, 3, 4), (1.0, math.nan))])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_not_finite_is_refused(name, value):
    strategy = made(name)
    (arch,) = strategy.ask()
    with pytest.raises(InputError, match="not finite"):
        strategy.tell([(arch, value)])


def test_the_state_of_another_strategy_is_refused(name):
    state = made(name).state()
    with pytest.raises(InputError, match="'another'"):
        made(name).restore({**state, "strategy": "another"})


@pytest.mark.parametrize("generator", [None, {}, {"bit_generator": "MT19937"}])
def test_a_damaged_state_is_refused(name, generator):
    with pytest.raises(InputError, match="damaged"):
        made(name).restore({**made(name).state(), "generator": generator})


def test_every_entry_says_what_it_is(name):
    entry = strategies.get(name)
    assert entry.summary.endswith(".")
    assert entry.paper
    assert entry.factory.name == name.partition(":")[0]
