"""Exhaustive search: the published order, from any position."""

from __future__ import annotations

from itertools import islice

import pytest
from helpers.toy import EndlessToySpace, ToySpace

from wrcor_ext import spaces, strategies
from wrcor_ext.errors import InputError
from wrcor_ext.limited_space import LimitedSpace
from wrcor_ext.spaces import Limits


@pytest.mark.parametrize("group", [1, 7, 1000])
@pytest.mark.parametrize("limits", [None, Limits(params=14)])
def test_it_is_the_order_of_the_space(group, limits):
    space = ToySpace() if limits is None else LimitedSpace(ToySpace(), limits)
    strategy, found = strategies.create("exhaustive", space, seed=0), []
    while archs := strategy.ask(group):
        found += archs
    assert found == list(space.enumerate())


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201", "nasbench_macro", "channelbench_mobilenet"])
def test_it_goes_on_deep_in_a_space(name):
    space = spaces.get(name)
    strategy = strategies.create("exhaustive", space, seed=0)
    strategy.restore({**strategy.state(), "position": 5000})
    assert strategy.ask(3) == list(islice(space.enumerate(), 5000, 5003))


def test_the_end_of_the_largest_benchmark():
    space = spaces.get("nasbench101")
    strategy = strategies.create("exhaustive", space, seed=0)
    strategy.restore({**strategy.state(), "position": space.size - 2})
    assert [len(strategy.ask(8)) for _ in range(2)] == [2, 0]


@pytest.mark.parametrize("space", [EndlessToySpace(), spaces.get("mobilenetv2")])
def test_a_space_that_cannot_be_enumerated_is_refused(space):
    with pytest.raises(InputError, match=f"'exhaustive' needs a space that can be enumerated, and {space.name} has"):
        strategies.create("exhaustive", space, seed=0)


@pytest.mark.parametrize("position", [-1, 626, "x"])
def test_a_position_out_of_range_is_refused(position):
    strategy = strategies.create("exhaustive", ToySpace(), seed=0)
    with pytest.raises(InputError, match="damaged"):
        strategy.restore({**strategy.state(), "position": position})
