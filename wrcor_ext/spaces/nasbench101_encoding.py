"""NAS-Bench-101 as 21 edges and five operations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.encoding import Codes, Encoding, Variable
from wrcor_ext.spaces.nasbench101_cell import OPS, Cell, decode, encode
from wrcor_ext.spaces.nasbench101_graph import (
    LABEL_SHIFT,
    MAX_EDGES,
    MAX_VERTICES,
    VERTEX_SHIFT,
    edge_bit,
    edge_count,
    on_paths,
    unpack,
)
from wrcor_ext.spaces.nasbench101_native import graph

_OUTPUT = MAX_VERTICES - 1
_EDGES = LABEL_SHIFT  # one bit for each


class CellEncoding(Encoding[Cell]):
    """Cells as the upper triangle of a 7 x 7 matrix, target by target, then the operations of vertices 1 to 5.

    Vertex 0 is the input, vertex 6 the output. The operation of a vertex on no path between them has no meaning. Of
    the many combinations that are one cell once pruned, `encode` gives the one whose inner vertices come first.
    """

    variables = (
        *(Variable(f"edge_{s}_{t}", ("absent", "present")) for t in range(1, MAX_VERTICES) for s in range(t)),
        *(Variable(f"operation_{vertex}", OPS) for vertex in range(1, _OUTPUT)),
    )

    def encode(self, arch: Cell) -> Codes:
        """The codes of a cell; an `InputError` for anything else."""
        sources, labels = unpack(encode(arch))
        edges = 0
        for vertex, mask in enumerate(sources[1:], start=1):
            target = _OUTPUT if vertex == len(sources) - 1 else vertex
            edges |= mask << edge_bit(0, target)
        return (*(edges >> bit & 1 for bit in range(_EDGES)), *labels, *[0] * (_OUTPUT - 1 - len(labels)))

    def active(self, prefix: Sequence[int]) -> bool:
        """Whether the variable after `prefix` has a meaning: an operation needs a path through its vertex."""
        return len(prefix) < _EDGES or len(prefix) - _EDGES + 1 in _vertices_in_use(_bits(prefix[:_EDGES]))

    def _decode(self, codes: Sequence[int]) -> Cell:
        code = MAX_VERTICES << VERTEX_SHIFT | _bits(codes[:_EDGES])
        for position, label in enumerate(codes[_EDGES:]):
            code |= label << (LABEL_SHIFT + 2 * position)
        pruned = graph.prune(code)
        if pruned == 0:
            raise InputError(f"no path leads from the input to the output of the cell of codes {tuple(codes)}")
        if edge_count(pruned) > MAX_EDGES:
            raise InputError(
                f"the cell of codes {tuple(codes)} has {edge_count(pruned)} edges on paths from input to output, "
                f"at most {MAX_EDGES} are allowed"
            )
        return decode(pruned)


def _bits(edges: Sequence[int]) -> int:
    return sum(1 << bit for bit, edge in enumerate(edges) if edge)


@lru_cache(maxsize=16)  # asked for the five operations of one matrix, one after the other
def _vertices_in_use(edges: int) -> frozenset[int]:
    sources, _ = unpack(MAX_VERTICES << VERTEX_SHIFT | edges)
    return frozenset(on_paths(sources))
