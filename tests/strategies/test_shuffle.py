"""The random order of a range."""

from __future__ import annotations

from collections import Counter
from itertools import islice, permutations

import pytest

from wrcor_ext.strategies.shuffle import Shuffle


@pytest.mark.parametrize("size", [0, 1, 2, 17, 1000])
def test_every_number_comes_once(size):
    assert sorted(Shuffle(size, 3)) == list(range(size))


def test_all_orders_are_equally_likely():
    counts = Counter(tuple(Shuffle(4, seed)) for seed in range(12_000))
    assert set(counts) == set(permutations(range(4)))
    # Chi-squared with 23 degrees of freedom: above 49.7 in one of a thousand; the seeds are fixed.
    assert sum((count - 500) ** 2 / 500 for count in counts.values()) < 49.7


@pytest.mark.parametrize("position", [0, 1, 30, 1024, 1500, 3000])
def test_begun_at_a_position_it_goes_on(position):
    whole = list(Shuffle(3000, 9))
    shuffle = Shuffle(3000, 9, position)
    assert shuffle.position == position
    assert list(shuffle) == whole[position:]


def test_a_range_beyond_all_memory_costs_nothing():
    size = 10**30
    drawn = list(islice(Shuffle(size, 1), 1000))
    assert len(set(drawn)) == 1000
    assert all(0 <= number < size for number in drawn)
    assert 0.45 * size < sum(drawn) / 1000 < 0.55 * size  # the mean of 1000 is off by 0.009 on average


def test_every_bit_of_a_long_number_is_random():
    drawn = list(islice(Shuffle(2**200, 1), 1000))
    for bit in range(200):
        assert 400 < sum(number >> bit & 1 for number in drawn) < 600  # 6 standard deviations


def test_a_long_number_begun_at_a_position_goes_on():
    whole = list(islice(Shuffle(2**200, 9), 1500))
    assert list(islice(Shuffle(2**200, 9, 1100), 400)) == whole[1100:]


@pytest.mark.parametrize("position", [-1, 6])
def test_a_position_out_of_range_is_refused(position):
    with pytest.raises(ValueError, match=f"position {position} in a range of 5"):
        Shuffle(5, 0, position)
