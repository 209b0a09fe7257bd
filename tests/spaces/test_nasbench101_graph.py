"""The compiled graph algorithms and their twin against each other, the benchmark's table, and brute force."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from itertools import permutations, product

import numpy as np
import pytest
from helpers.golden import data_file
from hypothesis import given
from hypothesis import strategies as st

import wrcor_ext
from wrcor_ext import spaces
from wrcor_ext.spaces import nasbench101_graph as python
from wrcor_ext.spaces import nasbench101_native
from wrcor_ext.spaces.nasbench101_cell import OPS, encode, parse_cell
from wrcor_ext.spaces.nasbench101_native import BACKEND, graph
from wrcor_ext.spaces.nasbench101_sampling import sample_code

SPACE = spaces.get("nasbench101")
needs_native = pytest.mark.skipif(BACKEND != "native", reason="wrcor_ext._spaces is not compiled")


def published_cells():
    with gzip.open(data_file("nasbench101.csv.gz"), "rt") as table:
        for row in csv.DictReader(table):
            n = int(row["vertices"])
            matrix = [[int(entry) for entry in row["matrix"][i * n : (i + 1) * n]] for i in range(n)]
            yield parse_cell(json.dumps({"matrix": matrix, "ops": row["ops"].split(",")})), row


def random_numbering(code, rng):
    """The same cell with its inner vertices in another order, and vertices on no path thrown in where there is room."""
    sources, labels = python.unpack(code)
    n = len(sources)
    edges = [(s, t) for t in range(n) for s in range(t) if sources[t] >> s & 1]
    operations = dict(enumerate(labels, start=1))
    idle = int(rng.integers(python.MAX_VERTICES - n + 1))
    for vertex in range(n, n + idle):
        operations[vertex] = int(rng.integers(3))
        if rng.integers(2):
            edges.append((int(rng.integers(n - 1)), vertex))  # leads nowhere
    order = [0]
    waiting = list(operations)
    while waiting:
        ready = [v for v in waiting if all(s in order for s, t in edges if t == v)]
        order.append(ready[rng.integers(len(ready))])
        waiting.remove(order[-1])
    order.append(n - 1)
    place = {vertex: position for position, vertex in enumerate(order)}
    masks = [0] * len(order)
    for source, target in edges:
        masks[place[target]] |= 1 << place[source]
    return python.pack(masks, [operations[v] for v in order[1:-1]])


def test_keys_are_the_published_hashes():
    cells = list(published_cells())
    assert len(cells) == 5_748
    assert all(SPACE.key(cell) == row["hash"] for cell, row in cells)


def test_published_cells_stand_in_the_form_that_is_enumerated():
    codes = set(graph.enumerate_codes().tolist())
    assert all(encode(cell) in codes for cell, _ in published_cells())


def test_isomorphic_cells_share_a_key():
    rng = np.random.default_rng(0)
    different = 0
    for _ in range(2_000):
        code = sample_code(rng)
        key = graph.cell_hash(code)
        for _ in range(5):
            other = random_numbering(code, rng)
            different += other != code
            assert graph.cell_hash(graph.prune(other)) == key
    assert different > 3_000


def test_whole_space_is_complete():
    codes = graph.enumerate_codes()
    assert codes.shape == (SPACE.size,) == (423_624,)
    assert codes.dtype == np.uint64
    assert len(set(codes.tolist())) == len(codes)
    vertices, counts = np.unique(codes >> np.uint64(python.VERTEX_SHIFT), return_counts=True)
    published = {2: 1, 3: 6, 4: 84, 5: 2_441, 6: 62_010, 7: 359_082}
    assert dict(zip(vertices.tolist(), counts.tolist(), strict=True)) == published


def test_small_cells_are_those_that_brute_force_finds():
    """All labelled matrices of up to 5 vertices, pruned by matrix powers and told apart by all permutations."""
    found = {}
    for n in range(2, 6):
        pairs = [(s, t) for t in range(n) for s in range(t)]
        for bits in product((0, 1), repeat=len(pairs)):
            matrix = np.zeros((n, n), dtype=int)
            for (source, target), bit in zip(pairs, bits, strict=True):
                matrix[source, target] = bit
            paths = np.linalg.matrix_power(np.eye(n, dtype=int) + matrix, n) > 0
            if matrix.sum() > 9 or not (paths[0].all() and paths[:, -1].all()):
                continue
            orders = [[0, *inner, n - 1] for inner in permutations(range(1, n - 1))]
            forms = [matrix[np.ix_(order, order)].tobytes() for order in orders]
            for labels in product(range(3), repeat=n - 2):
                canonical = min(
                    (form, [labels[v - 1] for v in order[1:-1]]) for form, order in zip(forms, orders, strict=True)
                )
                masks = [int(matrix[:, t] @ (1 << np.arange(n))) for t in range(n)]
                found.setdefault(repr(canonical), set()).add(graph.cell_hash(python.pack(masks, labels)))
    assert len(found) == 2_532
    assert all(len(hashes) == 1 for hashes in found.values())
    codes = graph.enumerate_codes()[:2_532].tolist()
    assert {graph.cell_hash(code) for code in codes} == set.union(*found.values())


@needs_native
def test_both_enumerate_alike():
    assert np.array_equal(graph.enumerate_codes(), python.enumerate_codes())
    assert graph.graph_classes() == python.graph_classes()


def test_automorphisms_are_symmetries():
    classes = graph.graph_classes()
    assert len(classes) == 2_494
    for code, automorphisms in classes:
        sources, _ = python.unpack(code)
        edges = {(s, t) for t, mask in enumerate(sources) for s in range(t) if mask >> s & 1}
        assert automorphisms[0] == list(range(7))
        for permutation in automorphisms:
            assert {(permutation[s], permutation[t]) for s, t in edges} == edges


@given(st.integers(2, 7), st.data())
def test_both_prune_hash_and_judge_alike(vertices, data):
    edges = [data.draw(st.integers(0, (1 << vertex) - 1)) for vertex in range(vertices)]
    labels = data.draw(st.lists(st.integers(0, 2), min_size=vertices - 2, max_size=vertices - 2))
    code = python.pack(edges, labels)
    assert graph.cell_hash(code) == python.cell_hash(code)
    assert graph.valid(code) == python.valid(code)
    pruned = graph.prune(code)
    assert pruned == python.prune(code)
    assert pruned == 0 or graph.prune(pruned) == pruned
    assert graph.valid(code) == (pruned != 0 and python.edge_count(pruned) <= 9)


def answer(function, number):
    try:
        return function(number)
    except ValueError as error:
        return str(error)


@given(st.integers(0, 2**64 - 1) | st.integers(0, 2**34))
def test_any_number_is_a_code_for_both_or_for_none(number):
    assert graph.valid(number) == python.valid(number)
    assert answer(graph.prune, number) == answer(python.prune, number)
    assert answer(graph.cell_hash, number) == answer(python.cell_hash, number)


def test_packing_is_undone_by_unpacking():
    rng = np.random.default_rng(1)
    for _ in range(200):
        code = sample_code(rng)
        assert python.pack(*python.unpack(code)) == code


def test_enumeration_begins_as_documented():
    first = [cell for cell, _ in zip(SPACE.enumerate(), range(4), strict=False)]
    assert [cell.ops for cell in first] == [("input", "output"), *(("input", op, "output") for op in OPS)]
    assert first[1].matrix == ((0, 1, 0), (0, 0, 1), (0, 0, 0))


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "_spaces.so was not built."),
        (["_spaces.cpython-39.so"], "_spaces.so was not built, only _spaces.cpython-39.so for another Python."),
        (["_spaces.so"], "_spaces.so does not load: "),
    ],
)
def test_python_answers_where_nothing_is_compiled(monkeypatch, tmp_path, files, reason):
    for name in files:
        (tmp_path / name).touch()
    monkeypatch.setattr(nasbench101_native, "EXTENSION", tmp_path / "_spaces.so")
    monkeypatch.setitem(sys.modules, "wrcor_ext._spaces", None)
    monkeypatch.delattr(wrcor_ext, "_spaces", raising=False)
    functions, backend, why = nasbench101_native.choose()
    assert (functions, backend) == (python, "python")
    assert why.startswith(reason)
    assert why.endswith(".")
