"""Fronts, ranks and crowding against the definitions."""

from __future__ import annotations

import numpy as np
import pytest

from wrcor_ext.search import pareto


def dominates(one, other):
    return bool((one >= other).all() and (one > other).any())


def points_of(seed, count, columns, values=None):
    """Candidates of which some are equal and some have no value, or all are different."""
    rng = np.random.default_rng(seed)
    if values is None:
        return rng.normal(size=(count, columns))
    points = rng.integers(values, size=(count, columns)).astype(float)
    points[rng.random((count, columns)) < 0.05] = np.nan
    return points


def front_by_definition(points):
    known = [i for i, point in enumerate(points) if not np.isnan(point).any()]
    best = [i for i in known if not any(dominates(points[j], points[i]) for j in known)]
    return [i for i in best if not any(j < i and (points[j] == points[i]).all() for j in best)]


@pytest.mark.parametrize("chunk", [3, 256])
@pytest.mark.parametrize("values", [None, 4, 12])
@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_the_front_is_whom_no_other_dominates(monkeypatch, columns, values, chunk):
    monkeypatch.setattr(pareto, "CHUNK", chunk)
    for seed, count in enumerate((0, 1, 2, 17, 100)):
        points = points_of(seed, count, columns, values)
        assert pareto.front(points).tolist() == front_by_definition(points)


def test_the_front_of_very_many_in_conflict():
    """A sphere's points dominate nobody, those within are dominated: neither must cost the square of the number."""
    rng = np.random.default_rng(0)
    sphere = np.abs(rng.normal(size=(300, 3)))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    within = sphere[rng.integers(300, size=200_000)] * rng.uniform(0, 0.99, size=(200_000, 1))
    points = np.concatenate([within, sphere])
    assert pareto.front(points).tolist() == list(range(200_000, 200_300))


@pytest.mark.parametrize("columns", [2, 3])
def test_ranks_peel_front_after_front(columns):
    points = points_of(1, 60, columns, 6)
    left, number, expected = {i for i in range(60) if not np.isnan(points[i]).any()}, 0, {}
    while left:
        best = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        expected.update(dict.fromkeys(best, number))
        left, number = left - best, number + 1
    assert pareto.ranks(points).tolist() == [expected.get(i, number) for i in range(60)]


def test_crowding_adds_up_the_gaps_to_both_neighbours():
    points = np.array([[0.0, 10.0], [1.0, 6.0], [3.0, 4.0], [4.0, 0.0]])
    expected = [2 * 1 / 4 + 2 * 4 / 10, 3 / 4 + 6 / 10, 3 / 4 + 6 / 10, 2 * 1 / 4 + 2 * 4 / 10]
    np.testing.assert_allclose(pareto.crowding(points), expected)
    shuffled = [2, 0, 3, 1]
    np.testing.assert_allclose(pareto.crowding(points[shuffled] * [1e9, 1e-9]), np.array(expected)[shuffled])


def test_who_shares_a_place_shares_its_neighbours():
    points = np.array([[0.0, 2.0], [0.0, 1.0], [4.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    expected = [2 / 4 + 2 / 2, 2 / 4 + 2 / 2, 6 / 4 + 2 / 2, 4 / 4 + 2 / 2, 4 / 4 + 2 / 2]
    np.testing.assert_allclose(pareto.crowding(points), expected)


def test_without_differences_there_is_no_crowding():
    for points in (np.zeros((0, 2)), np.ones((1, 2)), np.ones((3, 2))):
        assert pareto.crowding(points).tolist() == [0.0] * len(points)
