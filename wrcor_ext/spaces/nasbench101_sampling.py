"""Uniform draws from the 423,624 cells, exactly and without listing them.

Cells that differ in numbering alone are one cell. Of a graph without operations with the automorphism group H, the
cells are the orbits of the 3^k ways to label its k inner vertices. Burnside's lemma counts them: 1/|H| times the sum
over h in H of 3^c(h), c(h) the number of cycles of h on the inner vertices. The same sum samples them (Dixon & Wilf,
J. Algorithms 1983): a graph and an h with a probability proportional to 3^c(h) / |H|, then a label for each cycle of h,
give every orbit with the same probability. One whole number decides it all, so no draw is rejected or rounded.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from wrcor_ext.spaces.nasbench101_graph import NUM_OPERATIONS, VERTEX_SHIFT, first_labels, pack
from wrcor_ext.spaces.nasbench101_native import graph

if TYPE_CHECKING:
    import numpy as np

_Cycles = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class _Choice:
    """A graph with one of its automorphisms.

    Attributes:
        graph: code, all operations 0.
        automorphisms: all of the graph, to bring the labels into their first form.
        cycles: of the chosen automorphism on the inner vertices.
        unit: draws that give the same labels: lcm / |H|, so that every weight is a whole number.
    """

    graph: int
    automorphisms: list[list[int]]
    cycles: _Cycles
    unit: int

    @property
    def weight(self) -> int:
        labelings: int = NUM_OPERATIONS ** len(self.cycles)
        return labelings * self.unit


@lru_cache(maxsize=1)
def _table() -> tuple[list[_Choice], list[int]]:
    """All choices and the running sums of their weights."""
    classes = graph.graph_classes()
    lcm = math.lcm(*(len(automorphisms) for _, automorphisms in classes))
    choices = [
        _Choice(code, automorphisms, _cycles(permutation, code >> VERTEX_SHIFT), lcm // len(automorphisms))
        for code, automorphisms in classes
        for permutation in automorphisms
    ]
    return choices, list(accumulate(choice.weight for choice in choices))


def _cycles(permutation: list[int], vertices: int) -> _Cycles:
    """The cycles of a permutation on the inner vertices, each from its smallest vertex on."""
    left = set(range(1, vertices - 1))
    cycles = []
    while left:
        vertex = min(left)
        cycle = []
        while vertex in left:
            left.remove(vertex)
            cycle.append(vertex)
            vertex = permutation[vertex]
        cycles.append(tuple(cycle))
    return tuple(cycles)


def sample_code(rng: np.random.Generator) -> int:
    """The code of a random cell, each of the 423,624 with the same probability, in the form of `enumerate_codes`."""
    choices, sums = _table()
    number = int(rng.integers(sums[-1]))
    position = bisect_right(sums, number)
    choice = choices[position]
    rest = (number - (sums[position] - choice.weight)) // choice.unit
    labels = [0] * ((choice.graph >> VERTEX_SHIFT) - 2)
    for cycle in choice.cycles:
        rest, label = divmod(rest, NUM_OPERATIONS)
        for vertex in cycle:
            labels[vertex - 1] = label
    first = first_labels(tuple(labels), choice.automorphisms)
    return choice.graph | pack((0,) * (len(first) + 2), first)
