"""Hypervolumes against inclusion and exclusion, as they grow, and in cases that are worked out by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from wrcor_ext.search import hypervolume as module
from wrcor_ext.search.hypervolume import Hypervolume, growth, hypervolume


def by_inclusion_and_exclusion(points, reference):
    """The volume of a union of boxes: single ones, less pairs, plus triples, and so on."""
    above = np.maximum(0, np.nan_to_num(points - reference, nan=0.0))
    total = 0.0
    for size in range(1, len(points) + 1):
        for some in combinations(above, size):
            total -= (-1) ** size * np.min(some, axis=0).prod()
    return total


def drawn(seed, count, columns, values):
    rng = np.random.default_rng(seed)
    return rng.integers(values, size=(count, columns)).astype(float) if values else rng.normal(size=(count, columns))


def test_by_hand():
    points = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [1.0, 1.0], [np.nan, 9.0], [-5.0, 9.0]])
    reference = np.zeros(2)
    assert hypervolume(points, reference) == 6.0
    assert growth(points, reference).tolist() == [3.0, 5.0, 6.0, 6.0, 6.0, 6.0]
    assert hypervolume(points[:0], reference) == 0.0
    assert hypervolume(points, np.array([-6.0, 0.0])) == 7 * 3 + 8 * 2 - 7 * 2 + 9 * 1 - 8 * 1 + 1 * 6


@pytest.mark.parametrize("values", [None, 4, 9])
@pytest.mark.parametrize("columns", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(3))
def test_the_volume_is_that_of_the_union(seed, columns, values):
    points = drawn(seed, 10, columns, values)
    reference = np.full(columns, -1.0 if values is None else 0.0)
    expected = by_inclusion_and_exclusion(points, reference)
    assert hypervolume(points, reference) == pytest.approx(expected, rel=1e-12)
    one_by_one = [by_inclusion_and_exclusion(points[: n + 1], reference) for n in range(len(points))]
    assert growth(points, reference) == pytest.approx(np.array(one_by_one), rel=1e-12)


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_it_grows_to_the_volume_of_all_and_never_shrinks(columns, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 7)
    rng = np.random.default_rng(columns)
    points = rng.normal(size=(120, columns)) * 10.0 ** rng.integers(-3, 9, size=columns)
    points[rng.random(120) < 0.1, 0] = np.nan
    reference = np.nanmin(points, axis=0)
    volumes, online = growth(points, reference), Hypervolume(reference)
    assert (np.diff(volumes) >= 0).all()
    assert volumes[-1] == pytest.approx(hypervolume(points, reference), rel=1e-12)
    for point, volume in zip(points, volumes, strict=True):
        online.add(point)
        assert online.volume == pytest.approx(volume, rel=1e-12)


@pytest.mark.parametrize("columns", [2, 3, 4])
def test_optuna_finds_the_same(columns):
    compute = pytest.importorskip("optuna._hypervolume", reason="needs optuna").compute_hypervolume
    points = np.abs(np.random.default_rng(columns).normal(size=(60, columns)))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    assert hypervolume(points, np.zeros(columns)) == pytest.approx(compute(-points, np.zeros(columns)), rel=1e-12)
