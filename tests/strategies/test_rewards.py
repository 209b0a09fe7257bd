"""Rewards as z-scores, against Python's statistics module."""

from __future__ import annotations

import json
import math
from statistics import fmean, pstdev

import numpy as np
import pytest

from wrcor_ext.strategies.rewards import WarmUp

FIRST = [(1.0, 10.0), (2.0, None), None, (4.0, 30.0), (7.5, -5.0)]


def warmed_up(first, width=2):
    rewards = WarmUp(len(first), width)
    for values in first:
        assert not rewards.over
        rewards.see(values)
    assert rewards.over
    return rewards


def z(value, column):
    return (value - fmean(column)) / pstdev(column)


def test_the_reward_is_the_mean_z_score_over_what_a_candidate_has():
    rewards = warmed_up(FIRST)
    left, right = [1.0, 2.0, 4.0, 7.5], [10.0, 30.0, -5.0]
    assert rewards.reward((3.0, 8.0)) == pytest.approx((z(3.0, left) + z(8.0, right)) / 2, rel=1e-12)
    assert rewards.reward((None, 8.0)) == pytest.approx(z(8.0, right), rel=1e-12)
    assert rewards.reward((3.0, None)) == pytest.approx(z(3.0, left), rel=1e-12)


def test_of_the_first_candidates_the_rewards_have_mean_0_and_deviation_1():
    column = np.random.default_rng(0).normal(50, 3, size=100).tolist()
    rewards = warmed_up([(value,) for value in column], width=1)
    scores = [rewards.reward((value,)) for value in column]
    assert fmean(scores) == pytest.approx(0, abs=1e-12)
    assert pstdev(scores) == pytest.approx(1)


@pytest.mark.parametrize(
    "second", [None, 0.1], ids=["missing throughout", "the same throughout"]
)  # of three 0.1, the computed deviation is not 0
def test_a_value_without_a_scale_takes_no_part(second):
    rewards = warmed_up([(1.0, second), (2.0, second), (4.0, second)])
    assert rewards.reward((3.0, 1e6)) == pytest.approx(z(3.0, [1.0, 2.0, 4.0]))
    assert rewards.reward((None, 1e6)) is None


def test_no_values_or_infinite_scores_are_no_reward():
    assert warmed_up(FIRST).reward(None) is None
    assert warmed_up([(0.0,), (1e-300,)], width=1).reward((1e300,)) is None
    assert warmed_up([(1e308,), (-1e308,)], width=1).reward((1.0,)) is None
    assert warmed_up([None, None]).reward((1.0, 1.0)) is None


@pytest.mark.parametrize("seen", range(len(FIRST) + 1))
def test_a_state_goes_through_json_and_continues_exactly(seen):
    original = WarmUp(len(FIRST), 2)
    for values in FIRST[:seen]:
        original.see(values)
    other = WarmUp(len(FIRST), 2)
    other.restore(json.loads(json.dumps(original.state(), allow_nan=False)))
    for values in FIRST[seen:]:
        original.see(values)
        other.see(values)
    reward = original.reward((math.pi, math.e))
    assert reward is not None
    assert other.reward((math.pi, math.e)) == reward
