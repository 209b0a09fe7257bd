from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.spaces import Limits
from wrcor_ext.spaces.nasbench201_cell import OPS

SPACE = spaces.get("nasbench201")
CHEAPEST = SPACE.cost(("none",) * 6)


def changed_edges(one, other):
    return [edge for edge in range(6) if one[edge] != other[edge]]


def chi_squared(counts, cells):
    """Pearson's statistic of `counts` against the uniform distribution over so many cells."""
    expected = sum(counts.values()) / cells
    seen = sum((count - expected) ** 2 for count in counts.values()) / expected
    return seen + (cells - len(counts)) * expected


def test_samples_are_uniform():
    rng = np.random.default_rng(0)
    draws = [SPACE.sample(rng) for _ in range(20_000)]
    # Mean f and standard deviation sqrt(2 f) with f degrees of freedom; 5 deviations.
    assert chi_squared(Counter(draws), SPACE.size) < SPACE.size + 5 * (2 * SPACE.size) ** 0.5
    for edge in range(6):
        assert chi_squared(Counter(cell[edge] for cell in draws), 5) < 4 + 5 * 8**0.5


def test_samples_within_limits_are_uniform():
    rng = np.random.default_rng(1)
    draws = Counter(SPACE.sample(rng, limits=Limits(params=CHEAPEST.params)) for _ in range(3_000))
    assert all(set(cell) <= {"none", "skip_connect", "avg_pool_3x3"} for cell in draws)
    assert chi_squared(draws, 3**6) < 3**6 + 5 * (2 * 3**6) ** 0.5


def test_impossible_limits_name_the_smallest_cost_seen():
    with pytest.raises(InputError, match=rf"flops <= 1e\+06: the smallest had {CHEAPEST.flops} FLOPs"):
        SPACE.sample(np.random.default_rng(0), limits=Limits(flops=1e6))


def test_mutations_are_uniform_over_the_neighbours():
    rng = np.random.default_rng(2)
    parent = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "none")
    children = Counter(SPACE.mutate(parent, rng) for _ in range(4_000))
    assert len(children) == 24
    assert all(len(changed_edges(parent, child)) == 1 for child in children)
    assert chi_squared(children, 24) < 23 + 5 * 46**0.5


def test_every_cell_has_a_neighbour_at_its_own_cost():
    rng = np.random.default_rng(3)
    for cell in [SPACE.sample(rng) for _ in range(200)]:
        cost = SPACE.cost(cell)
        child = SPACE.mutate(cell, rng, limits=Limits(flops=cost.flops, params=cost.params))
        assert SPACE.cost(child).flops <= cost.flops
        assert len(changed_edges(cell, child)) == 1
        assert child[changed_edges(cell, child)[0]] in OPS


def test_mutation_outside_the_limits_is_refused():
    with pytest.raises(InputError, match=r"no neighbour of \|nor_conv_3x3~0\|.* keeps params <= 80000"):
        SPACE.mutate(("nor_conv_3x3",) * 6, np.random.default_rng(0), limits=Limits(params=80_000))
