"""The graph algorithms of NAS-Bench-101 in pure Python, the twin of `csrc/spaces/`: codes, pruning, hash, enumeration.

Used where nothing is compiled, and by the tests as the oracle; `wrcor_ext.spaces.nasbench101_native` chooses.

A *code* is a whole number that holds a cell, vertex 0 the input and the last one the output:

- bits 0 to 20: edge source -> target, source < target, at bit `target (target - 1) / 2 + source`;
- bits 21 to 30: two bits per inner vertex 1 to 5, the index of its operation;
- bits 31 to 33: the number of vertices, 2 to 7.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

MIN_VERTICES, MAX_VERTICES = 2, 7
MAX_EDGES = 9
NUM_OPERATIONS = 3
LABEL_SHIFT = MAX_VERTICES * (MAX_VERTICES - 1) // 2
VERTEX_SHIFT = LABEL_SHIFT + 2 * (MAX_VERTICES - 2)

# Labels of the benchmark's hash for the two vertices without an operation.
_INPUT_LABEL, _OUTPUT_LABEL = -1, -2


def edge_bit(source: int, target: int) -> int:
    """The bit of an edge, source < target."""
    return target * (target - 1) // 2 + source


def pack(sources: Sequence[int], labels: Sequence[int]) -> int:
    """The code of a cell.

    Args:
        sources: per vertex its in-neighbours, bit s for the edge s -> vertex.
        labels: the indices of the inner vertices' operations.
    """
    code = len(sources) << VERTEX_SHIFT
    for vertex, mask in enumerate(sources[1:], start=1):
        code |= mask << edge_bit(0, vertex)
    for position, label in enumerate(labels):
        code |= label << (LABEL_SHIFT + 2 * position)
    return code


def unpack(code: int) -> tuple[list[int], list[int]]:
    """The inverse of `pack`.

    Raises:
        ValueError: for a number that is no code.
    """
    if not _well_formed(code):
        raise ValueError(f"{code} is not the code of a cell")
    vertices = code >> VERTEX_SHIFT
    sources = [0] + [code >> edge_bit(0, vertex) & ((1 << vertex) - 1) for vertex in range(1, vertices)]
    return sources, [code >> (LABEL_SHIFT + 2 * position) & 3 for position in range(vertices - 2)]


def _well_formed(code: int) -> bool:
    vertices = code >> VERTEX_SHIFT
    if not MIN_VERTICES <= vertices <= MAX_VERTICES:
        return False
    edges = code & ((1 << LABEL_SHIFT) - 1)
    labels = (code & ((1 << VERTEX_SHIFT) - 1)) >> LABEL_SHIFT
    if edges >> edge_bit(0, vertices) or labels >> 2 * (vertices - 2):
        return False
    return all(labels >> 2 * position & 3 < NUM_OPERATIONS for position in range(vertices - 2))


def prune(code: int) -> int:
    """The cell without the vertices that lie on no path from input to output, the others in unchanged order.

    Returns:
        Its code, or 0 if there is no such path.

    Raises:
        ValueError: for a number that is no code.
    """
    sources, labels = unpack(code)
    kept = on_paths(sources)
    if not kept:
        return 0
    return pack(
        [sum((sources[target] >> source & 1) << place for place, source in enumerate(kept)) for target in kept],
        [labels[vertex - 1] for vertex in kept[1:-1]],
    )


def on_paths(sources: Sequence[int]) -> list[int]:
    """The vertices that lie on a path from input to output, in order; none if there is no such path.

    Args:
        sources: per vertex its in-neighbours, bit s for the edge s -> vertex.
    """
    vertices = len(sources)
    forward = 1
    for vertex in range(1, vertices):
        forward |= bool(sources[vertex] & forward) << vertex
    if not forward >> (vertices - 1):
        return []
    backward = 1 << (vertices - 1)
    for vertex in reversed(range(vertices)):
        if backward >> vertex & 1:
            backward |= sources[vertex]
    return [vertex for vertex in range(vertices) if (forward & backward) >> vertex & 1]


def valid(code: int) -> bool:
    """Whether a number is a code and, pruned, a cell of the space: connected, at most nine edges."""
    if not _well_formed(code):
        return False
    pruned = prune(code)
    return pruned != 0 and edge_count(pruned) <= MAX_EDGES


def edge_count(code: int) -> int:
    """The number of edges."""
    return (code & ((1 << LABEL_SHIFT) - 1)).bit_count()


def cell_hash(code: int) -> str:
    """The benchmark's hash of a cell as it stands (prune first): 32 hexadecimal digits, shared by isomorphic cells.

    Raises:
        ValueError: for a number that is no code.
    """
    sources, operations = unpack(code)
    vertices = range(len(sources))
    incoming = [[s for s in vertices if sources[v] >> s & 1] for v in vertices]
    outgoing = [[t for t in vertices if sources[t] >> v & 1] for v in vertices]
    labels = [_INPUT_LABEL, *operations, _OUTPUT_LABEL]
    hashes = [_md5(str((len(outgoing[v]), len(incoming[v]), labels[v]))) for v in vertices]

    def neighbourhood(vertex: int) -> str:
        before, after = ("".join(sorted(hashes[v] for v in side[vertex])) for side in (incoming, outgoing))
        return f"{before}|{after}|{hashes[vertex]}"

    for _ in vertices:
        hashes = [_md5(neighbourhood(v)) for v in vertices]
    return _md5(str(sorted(hashes)))


def _md5(text: str) -> str:
    # A name, not a safeguard: systems that forbid MD5 for security allow it so.
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def graph_classes() -> list[tuple[int, list[list[int]]]]:
    """The graphs of the space without operations, one per class of graphs that differ in numbering alone.

    Returns:
        2,494 pairs, ascending: the smallest code of the class, all operations 0; and the automorphisms of that graph,
        the identity first. An automorphism lists the vertex that each vertex 0 to 6 goes to.
    """
    classes = []
    for vertices in range(MIN_VERTICES, MAX_VERTICES + 1):
        seen: set[int] = set()
        for sources in _graphs(vertices - 1, 0, MAX_EDGES):
            graph = pack(sources, ())
            if graph in seen:
                continue
            automorphisms = []
            for permutation, renumbered in _numberings(sources):
                seen.add(renumbered)
                if renumbered == graph:
                    automorphisms.append([*permutation, *range(vertices, MAX_VERTICES)])
            classes.append((graph, sorted(automorphisms)))
    return classes


def _graphs(target: int, used: int, left: int) -> Iterator[list[int]]:
    """Columns 0 to `target` of all graphs, the last column most significant.

    Args:
        target: the last column that is still open.
        used: the vertices that have an outgoing edge in a column behind it, as bits.
        left: edges that may still be added.
    """
    if target == 0:
        yield [0]
        return
    for mask in range(1, 1 << target):
        # Each column needs an edge, and vertex target - 1 gets its outgoing ones from this column or those behind it.
        if mask.bit_count() <= left - (target - 1) and (used | mask) >> (target - 1) & 1:
            for columns in _graphs(target - 1, used | mask, left - mask.bit_count()):
                yield [*columns, mask]


def _numberings(sources: Sequence[int]) -> Iterator[tuple[list[int], int]]:
    """Every permutation of the vertices under which edges still lead upwards, and the code of the renumbered graph."""
    vertices = len(sources)
    masks = [0] * vertices  # renumbered
    places = [0] * vertices

    def place(count: int, placed: int) -> Iterator[tuple[list[int], int]]:
        if count == vertices:
            yield places.copy(), pack(masks, ())
            return
        for vertex, mask in enumerate(sources):
            if not placed >> vertex & 1 and not mask & ~placed:
                places[vertex] = count
                masks[count] = sum(1 << places[s] for s in range(vertices) if mask >> s & 1)
                yield from place(count + 1, placed | 1 << vertex)

    return place(0, 0)


def enumerate_codes() -> NDArray[np.uint64]:
    """One code for each of the 423,624 cells, [423624] uint64.

    The order is that of the benchmark's own generator, and each cell has the form in which that generator meets it
    first: the smallest graph of its class, and for that the first operations in lexicographic order.
    """
    codes: list[int] = []
    for graph, automorphisms in graph_classes():
        inner = (graph >> VERTEX_SHIFT) - 2
        codes.extend(
            graph | pack((0,) * (inner + 2), labels)
            for labels in product(range(NUM_OPERATIONS), repeat=inner)
            if len(automorphisms) == 1 or labels == first_labels(labels, automorphisms)
        )
    return np.array(codes, dtype=np.uint64)


def first_labels(labels: tuple[int, ...], automorphisms: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The lexicographically first of the label tuples that the automorphisms turn `labels` into."""
    inner = range(1, len(labels) + 1)
    return min(tuple(labels[permutation[vertex] - 1] for vertex in inner) for permutation in automorphisms)
