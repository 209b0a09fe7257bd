"""Sampling is exactly uniform; mutation changes one operation or one edge."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.spaces import Limits
from wrcor_ext.spaces import nasbench101_graph as python
from wrcor_ext.spaces.nasbench101_cell import OPS, Cell, decode, encode
from wrcor_ext.spaces.nasbench101_mutation import edge_changes, mutate_code, operation_changes
from wrcor_ext.spaces.nasbench101_native import graph
from wrcor_ext.spaces.nasbench101_sampling import sample_code

SPACE = spaces.get("nasbench101")
SMALLEST = Cell(((0, 1), (0, 0)), ("input", "output"))


class Counting:
    """A generator whose n-th draw is n: it runs through all outcomes."""

    def __init__(self):
        self.next = -1
        self.end = 0

    def integers(self, end):
        self.next += 1
        self.end = end
        return self.next


def test_every_outcome_counted_each_cell_is_drawn_equally_often():
    # The table begins with the small graphs; 24 outcomes (the order of the largest symmetry group) make one cell.
    outcomes = Counting()
    drawn = Counter(sample_code(outcomes) for _ in range(24 * 2_532))
    assert outcomes.end == 24 * 423_624
    assert drawn == dict.fromkeys(graph.enumerate_codes()[:2_532].tolist(), 24)


def test_samples_are_uniform_over_the_enumeration():
    position = {code: index for index, code in enumerate(graph.enumerate_codes().tolist())}
    rng = np.random.default_rng(0)
    draws = 40_000
    counts = np.bincount([position[sample_code(rng)] * 400 // SPACE.size for _ in range(draws)], minlength=400)
    expected = np.bincount(np.arange(SPACE.size) * 400 // SPACE.size) * (draws / SPACE.size)
    assert chisquare(counts, expected).pvalue > 1e-3


def kind_of_change(parent, child):
    vertices = (child >> python.VERTEX_SHIFT) - (parent >> python.VERTEX_SHIFT)
    return vertices, python.edge_count(child) - python.edge_count(parent)


@pytest.mark.parametrize("seed", range(4))
def test_mutants_are_valid_neighbours_with_another_key(seed):
    rng = np.random.default_rng(seed)
    kinds = Counter()
    cell = SPACE.sample(rng) if seed else SMALLEST
    for _ in range(150):
        mutant = SPACE.mutate(cell, rng)
        parent, child = encode(cell), encode(mutant)
        assert decode(child) == mutant
        assert graph.valid(child)
        assert graph.prune(child) == child
        assert SPACE.key(mutant) != SPACE.key(cell)
        vertices, edges = kind_of_change(parent, child)
        kinds[np.sign(edges)] += 1
        if edges == 0:
            assert sum(a != b for a, b in zip(cell.ops, mutant.ops, strict=True)) == 1
            assert mutant.matrix == cell.matrix
        elif edges > 0:
            # What was added is one edge, alone or through a new vertex: removing it gives the parent back.
            assert (vertices, edges) in {(0, 1), (1, 2)}
            removed = [code for code in edge_changes(child) if python.edge_count(code) < python.edge_count(child)]
            assert graph.cell_hash(parent) in set(map(graph.cell_hash, removed))
        elif edges == -1:
            assert vertices == 0
            assert graph.cell_hash(parent) in set(map(graph.cell_hash, edge_changes(child)))
        else:
            assert vertices < 0
        cell = mutant
    assert all(kinds[sign] > 15 for sign in (-1, 0, 1)), kinds


def test_neighbours_of_the_smallest_cell():
    code = encode(SMALLEST)
    assert list(operation_changes(code)) == []
    triangle = ((0, 1, 1), (0, 0, 1), (0, 0, 0))
    assert [decode(c) for c in edge_changes(code)] == [Cell(triangle, ("input", op, "output")) for op in OPS]


def test_neighbours_of_a_small_cell():
    """input -> conv -> pool -> output, by hand."""
    chain = Cell(((0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (0, 0, 0, 0)), ("input", OPS[0], OPS[2], "output"))
    changes = Counter(kind_of_change(encode(chain), code) for code in edge_changes(encode(chain)))
    # No edge can be spared; three can be added; a vertex can join at each of six pairs, with three operations.
    assert changes == {(0, 1): 3, (1, 2): 18}
    assert len(list(operation_changes(encode(chain)))) == 4


def test_edges_are_added_against_the_numbering_too():
    # Two vertices side by side: an edge between them makes no cycle in either direction.
    side_by_side = Cell(((0, 1, 1, 0), (0, 0, 0, 1), (0, 0, 0, 1), (0, 0, 0, 0)), ("input", OPS[0], OPS[2], "output"))
    ops = {decode(code).ops for code in edge_changes(encode(side_by_side)) if python.edge_count(code) == 5}
    assert ("input", OPS[2], OPS[0], "output") in ops
    assert ("input", OPS[0], OPS[2], "output") in ops


def test_full_cells_get_no_tenth_edge_and_no_eighth_vertex():
    rng = np.random.default_rng(3)
    for code in rng.choice(graph.enumerate_codes(), 100).tolist():
        assert all(map(graph.valid, edge_changes(code)))
        assert all(map(graph.valid, operation_changes(code)))


def test_both_kinds_of_change_have_equal_chances():
    rng = np.random.default_rng(4)
    code = next(code for code in iter(lambda: sample_code(rng), None) if python.edge_count(code) == 9)
    operations = sum(kind_of_change(code, mutate_code(code, rng, lambda _: True)) == (0, 0) for _ in range(1_000))
    assert 420 < operations < 580


def test_mutation_from_the_smallest_cell_reaches_the_largest():
    rng = np.random.default_rng(5)
    sizes = set()
    cell = SMALLEST
    for _ in range(200):
        cell = SPACE.mutate(cell, rng)
        sizes.add(len(cell.ops))
    assert {3, 4, 5, 6, 7} <= sizes


def test_no_neighbour_within_the_limits_is_said():
    with pytest.raises(InputError, match=r"no neighbour of .* keeps params <= 1"):
        SPACE.mutate(SMALLEST, np.random.default_rng(0), limits=Limits(params=1))
