"""Neighbours of a NAS-Bench-101 cell: one operation or one edge is another.

An edge is removed (what then lies on no path from input to output goes with it), or added: between two vertices, in any
direction that makes no cycle, or as the path through one vertex more, of any operation. In the benchmark's own picture,
a 7 x 7 matrix whose unconnected vertices do not count, that is the edge by which a dormant vertex wakes up: without it
cells could only shrink.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from wrcor_ext.spaces.nasbench101_graph import (
    LABEL_SHIFT,
    MAX_EDGES,
    MAX_VERTICES,
    NUM_OPERATIONS,
    edge_bit,
    edge_count,
    pack,
    unpack,
)
from wrcor_ext.spaces.nasbench101_native import graph

if TYPE_CHECKING:
    import numpy as np


def mutate_code(code: int, rng: np.random.Generator, admits: Callable[[int], bool]) -> int | None:
    """A random neighbour: an operation or an edge with equal chances, among those any change with equal chances.

    Args:
        code: a valid, pruned cell.
        rng: the generator.
        admits: whether a neighbour may be returned; a neighbour with the same hash never is.

    Returns:
        The code of a pruned cell, or None if no neighbour is admitted.
    """
    own_hash = graph.cell_hash(code)
    kinds = [list(operation_changes(code)), list(edge_changes(code))]
    if rng.integers(2):
        kinds.reverse()
    for neighbours in kinds:
        for position in map(int, rng.permutation(len(neighbours))):
            neighbour = neighbours[position]
            if admits(neighbour) and graph.cell_hash(neighbour) != own_hash:
                return neighbour
    return None


def neighbour_codes(code: int) -> list[int]:
    """The codes of all neighbours, for each hash the first one."""
    found = {graph.cell_hash(code): code}
    for neighbour in (*operation_changes(code), *edge_changes(code)):
        found.setdefault(graph.cell_hash(neighbour), neighbour)
    return list(found.values())[1:]


def operation_changes(code: int) -> Iterator[int]:
    """The cells with another operation at one vertex."""
    _, labels = unpack(code)
    for position, label in enumerate(labels):
        shift = LABEL_SHIFT + 2 * position
        for other in range(NUM_OPERATIONS):
            if other != label:
                yield code ^ (label ^ other) << shift


def edge_changes(code: int) -> Iterator[int]:
    """The cells with an edge less or an edge more, pruned and valid."""
    sources, labels = unpack(code)
    vertices = len(sources)
    edges = edge_count(code)
    for target in range(1, vertices):
        for source in range(target):
            if sources[target] >> source & 1:
                pruned = graph.prune(code ^ 1 << edge_bit(source, target))
                if pruned:
                    yield pruned
    if edges == MAX_EDGES:
        return
    ancestors = _ancestors(sources)
    for source in range(vertices - 1):
        for target in range(1, vertices):
            if source == target or ancestors[source] >> target & 1:
                continue
            if not sources[target] >> source & 1:
                yield _sorted([m | (v == target) << source for v, m in enumerate(sources)], labels)
            if vertices < MAX_VERTICES and edges + 2 <= MAX_EDGES:
                for label in range(NUM_OPERATIONS):
                    yield _with_vertex(sources, labels, source, target, label)


def _ancestors(sources: list[int]) -> list[int]:
    """Per vertex the vertices from which a path leads to it, as bits."""
    ancestors: list[int] = []
    for mask in sources:
        for vertex, before in enumerate(ancestors):
            if mask >> vertex & 1:
                mask |= before
        ancestors.append(mask)
    return ancestors


def _with_vertex(sources: list[int], labels: list[int], source: int, target: int, label: int) -> int:
    """The cell with one vertex more, just before the output, on a path of its own from `source` to `target`."""
    new = len(sources) - 1
    masks = [*sources[:-1], 1 << source, sources[-1]]
    masks[target + (target == new)] |= 1 << new
    return _sorted(masks, [*labels, label])


def _sorted(sources: list[int], labels: list[int]) -> int:
    """The code of an acyclic graph, renumbered so that edges lead upwards and as little moves as possible."""
    order: list[int] = []
    placed = 0
    while len(order) < len(sources):
        vertex = next(v for v, mask in enumerate(sources) if not placed >> v & 1 and not mask & ~placed)
        order.append(vertex)
        placed |= 1 << vertex
    masks = [sum((sources[v] >> s & 1) << place for place, s in enumerate(order)) for v in order]
    return pack(masks, [labels[v - 1] for v in order[1:-1]])
