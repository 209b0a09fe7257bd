from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.toy import ToySpace

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.limited_space import LimitedSpace
from wrcor_ext.spaces import Cost, Limits
from wrcor_ext.spaces.base import MAX_TRIES, MOST_LISTED, draw_within


@pytest.mark.parametrize(
    ("limits", "admitted"),
    [
        (Limits(), True),
        (Limits(flops=100), True),
        (Limits(flops=99.5), False),
        (Limits(params=7), True),
        (Limits(params=6), False),
        (Limits(flops=100, params=6), False),
        (Limits(memory=400, layers=3), True),
        (Limits(memory=399), False),
        (Limits(layers=2), False),
    ],
)
def test_limits_are_inclusive(limits, admitted):
    assert limits.admits(Cost(flops=100, params=7, memory=400, layers=3)) is admitted


@pytest.mark.parametrize("bound", [0, -1, math.nan])
@pytest.mark.parametrize("name", ["flops", "params", "latency", "memory", "layers"])
def test_limits_refuse_bounds_that_nothing_keeps(name, bound):
    with pytest.raises(InputError, match=name):
        Limits(**{name: bound})


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (Limits(memory=5e6), "memory <= 5e\\+06 cannot be kept: the space does not count bytes of activations"),
        (Limits(layers=5), "layers <= 5 cannot be kept: the space does not count layers"),
    ],
)
def test_what_nobody_has_counted_is_not_passed_over(limits, what):
    with pytest.raises(InputError, match=what):
        limits.admits(Cost(1, 1))


def test_limits_read_well():
    assert str(Limits(flops=2e6, params=5)) == "flops <= 2e+06 and params <= 5"
    assert str(Limits()) == "no limits"


def test_draw_within_returns_the_first_that_is_admitted():
    draws = iter(range(10, 0, -1))
    assert draw_within(lambda: next(draws), lambda n: Cost(n, n), Limits(flops=4)) == 4


def test_draw_within_gives_up_and_tells_the_smallest_of_what_is_limited():
    draws = iter(range(MAX_TRIES + 1, 1, -1))
    limits = Limits(flops=1, layers=7)
    with pytest.raises(InputError, match=r"flops <= 1 and layers <= 7: the smallest had 2 FLOPs and 4 layers$"):
        draw_within(lambda: next(draws), lambda n: Cost(n, 3 * n, layers=2 * n), limits)
    assert next(draws, None) is None


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "nasbench_macro", "channelbench_mobilenet"])
def test_numbers_are_places_in_the_enumeration(name):
    space = spaces.get(name)
    assert space.nth_count == space.size
    for number, arch in zip(range(3000), space.enumerate(), strict=False):
        if number in (0, 1, 999, 2999):
            assert space.nth(number) == arch
    for number in (-1, space.size):
        with pytest.raises(InputError, match=f"no architecture {number}: numbers are below {space.size}"):
            space.nth(number)


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "nasbench_macro", "channelbench_mobilenet"])
def test_neighbours_are_what_mutations_give(name):
    space, rng = spaces.get(name), np.random.default_rng(0)
    for _ in range(3):
        arch = space.sample(rng)
        listed = list(map(space.key if name == "nasbench101" else space.format, space.neighbours(arch)))
        drawn = {(space.key if name == "nasbench101" else space.format)(space.mutate(arch, rng)) for _ in range(500)}
        assert sorted(listed) == sorted(drawn)


def test_a_space_that_cannot_be_enumerated_has_no_numbers():
    space = spaces.get("mobilenetv2")
    assert space.nth_count is None
    assert space.neighbours(space.sample(np.random.default_rng(0))) is None
    with pytest.raises(InputError, match="no architecture 0: no architecture of this space has a number"):
        space.nth(0)


def test_more_architectures_than_are_listed_have_no_numbers_unless_computed():
    class Large(ToySpace):
        size = MOST_LISTED + 1

    assert Large().nth_count is None


def test_a_wrapped_space_has_the_numbers_of_the_other_one():
    within = LimitedSpace(ToySpace(), Limits(params=11))
    assert within.nth_count == 625
    assert within.nth(7) == ToySpace().nth(7) == (0, 0, 1, 2)
    assert [number for number in range(625) if within.admits(within.nth(number))] == [0, 1, 5, 25, 125]
    assert within.neighbours((0, 0, 0, 0)) == ToySpace().neighbours((0, 0, 0, 0))
