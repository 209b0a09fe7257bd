from __future__ import annotations

import math

import pytest

from wrcor_ext.errors import InputError
from wrcor_ext.spaces import Cost, Limits
from wrcor_ext.spaces.base import MAX_TRIES, draw_within


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
