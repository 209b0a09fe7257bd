"""A strategy shared by several: together they propose what it does alone."""

from __future__ import annotations

import itertools
import json

import pytest
from helpers.toy import EndlessToySpace, ToySpace

from wrcor_ext import strategies
from wrcor_ext.limited_space import LimitedSpace
from wrcor_ext.spaces import Limits
from wrcor_ext.strategies.interleaved import Interleaved

SHARED = [name for name in strategies.names() if not strategies.get(name).factory.learns]
MOST = 300


def test_random_and_exhaustive_search_can_be_shared():
    assert set(SHARED) == {"random", "exhaustive"}


def proposals(fresh):
    """What a strategy proposes, asked for in groups of different sizes, put aside and restored after each of them."""
    strategy, found, sizes = fresh(), [], itertools.cycle((1, 2, 7))
    while len(found) < MOST:
        n = next(sizes)
        archs = strategy.ask(n)
        strategy.tell([(arch, 1.0) for arch in archs])
        found += archs
        if len(archs) < n:
            break
        state = json.loads(json.dumps(strategy.state()))
        strategy = fresh()
        strategy.restore(state)
    return found


@pytest.mark.parametrize("step", [1, 3, 4])
@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("random", ToySpace()),
        ("random", LimitedSpace(ToySpace(), Limits(params=14))),
        ("random", EndlessToySpace()),
        ("exhaustive", ToySpace()),
        ("exhaustive", LimitedSpace(ToySpace(), Limits(params=14))),
    ],
)
def test_together_they_propose_what_one_does_alone(name, space, step):
    def alone():
        return strategies.create(name, space, seed=3)

    expected = alone().ask(MOST * step)
    for first in range(step):
        found = proposals(lambda first=first: Interleaved(alone(), first, step))
        assert found[:MOST] == expected[first::step]
        assert len(found) >= min(MOST, len(expected[first::step]))
