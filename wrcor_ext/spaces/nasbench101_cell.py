"""Cells of NAS-Bench-101: an upper-triangular matrix of edges and an operation per vertex; their text form and code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from typing import Any

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.nasbench101_graph import (
    LABEL_SHIFT,
    MAX_EDGES,
    MAX_VERTICES,
    MIN_VERTICES,
    VERTEX_SHIFT,
    edge_bit,
    edge_count,
    unpack,
)
from wrcor_ext.spaces.nasbench101_native import graph
from wrcor_ext.spaces.quoting import quoted

INPUT, OUTPUT = "input", "output"
OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
SIZE = 423_624
_LABELS = {op: label for label, op in enumerate(OPS)}

# Longer texts are no cell: an indented one of seven vertices takes some 1,500 characters.
_MAX_TEXT = 10_000


@dataclass(frozen=True, slots=True)  # slots: the whole space is a list of 423,624
class Cell:
    """A cell; any value may be made, the methods of the space check it.

    Attributes:
        matrix: rows of 0 and 1; `matrix[i][j]` is 1 where an edge leads from vertex i to vertex j, i < j.
        ops: "input", an operation of `OPS` for each inner vertex, "output".
    """

    matrix: tuple[tuple[int, ...], ...]
    ops: tuple[str, ...]


def parse_cell(text: str) -> Cell:
    """The cell of a JSON text `{"matrix": [[0, 1, ...], ...], "ops": ["input", ..., "output"]}`, pruned.

    Raises:
        InputError: for anything else; it names the first offending part and its position.
    """
    if not isinstance(text, str):
        raise InputError(f"a NAS-Bench-101 cell is a text, not {quoted(text)}")
    if len(text) > _MAX_TEXT:
        raise _malformed(text, f"it has {len(text)} characters, at most {_MAX_TEXT} are read")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise _malformed(text, f"no JSON at character {error.pos + 1}: {error.msg}") from None
    except (_NotACell, ValueError) as error:  # ValueError: a number of thousands of digits
        raise _malformed(text, str(error)) from None
    except RecursionError:
        raise _malformed(text, "it is nested too deeply") from None
    if not isinstance(value, dict) or sorted(value) != ["matrix", "ops"]:
        raise _malformed(text, 'it is not an object {"matrix": [...], "ops": [...]} with these two names')
    try:
        matrix = _tuples(value["matrix"])
        _explain_matrix(matrix)  # first: true and 1.0 equal 1, but are not what the text has to say
        return decode(_encode(matrix, _tuples(value["ops"])))
    except _NotACell as error:
        raise _malformed(text, str(error)) from None


def format_cell(cell: Cell) -> str:
    """The JSON text of a valid cell, pruned."""
    pruned = decode(encode(cell))
    return json.dumps({"matrix": pruned.matrix, "ops": pruned.ops})


def encode(cell: object) -> int:
    """The code of a cell, pruned; see `wrcor_ext.spaces.nasbench101_graph`.

    Raises:
        InputError: if the value is no cell of the space; it names the first offending part and its position.
    """
    if not isinstance(cell, Cell):
        raise InputError(f"{quoted(cell)} is not a NAS-Bench-101 cell")
    try:
        return _encode(cell.matrix, cell.ops)
    except _NotACell as error:
        raise InputError(f"{quoted(cell)} is not a NAS-Bench-101 cell: {error}") from None


def decode(code: int) -> Cell:
    """The cell of a code, its vertices in the order of the code."""
    sources, labels = unpack(code)
    return Cell(_matrix(*sources), (INPUT, *(OPS[label] for label in labels), OUTPUT))


@lru_cache(maxsize=4096)  # more than there are graphs in `enumerate`: their cells share them
def _matrix(*sources: int) -> tuple[tuple[int, ...], ...]:
    """The matrix of a graph, given per vertex its in-neighbours as bits."""
    vertices = range(len(sources))
    return tuple(tuple(sources[target] >> source & 1 for target in vertices) for source in vertices)


class _NotACell(Exception):  # noqa: N818
    """Carries the reason to where the whole value is known."""


def _encode(matrix: Any, ops: Any) -> int:
    """The pruned code of a matrix (tuples of integers) and its operations; anything else raises `_NotACell`."""
    try:
        if not (isinstance(matrix, tuple) and isinstance(ops, tuple)):
            raise TypeError
        rows = _row_codes(len(matrix))
        code = len(matrix) << VERTEX_SHIFT
        for source in range(len(matrix)):
            code |= rows[source][matrix[source]]
        if len(ops) != len(matrix) or ops[0] != INPUT or ops[-1] != OUTPUT:
            raise KeyError
        for position, op in enumerate(ops[1:-1]):
            code |= _LABELS[op] << (LABEL_SHIFT + 2 * position)
    except (KeyError, TypeError):  # not among what is allowed, or not even hashable
        _explain_matrix(matrix)
        _explain_ops(ops, len(matrix))
        raise
    pruned = graph.prune(code)
    if pruned == 0:
        raise _NotACell(f"matrix is disconnected: no path leads from vertex 0, the input, to vertex {len(matrix) - 1}")
    if edge_count(pruned) > MAX_EDGES:
        raise _NotACell(
            f"matrix has {edge_count(pruned)} edges on paths from input to output, at most {MAX_EDGES} are allowed"
        )
    return pruned


@cache
def _row_codes(vertices: int) -> tuple[dict[tuple[int, ...], int], ...]:
    """For each row of a matrix all that it may be, with their edges as bits of a code.

    Raises:
        KeyError: for a number of vertices that no cell has.
    """
    if not MIN_VERTICES <= vertices <= MAX_VERTICES:
        raise KeyError(vertices)
    rows = []
    for source in range(vertices):
        upper = product((0, 1), repeat=vertices - source - 1)
        codes = {}
        for entries in upper:
            row = (0,) * (source + 1) + entries
            codes[row] = sum(entry << edge_bit(source, target) for target, entry in enumerate(row) if entry)
        rows.append(codes)
    return tuple(rows)


def _explain_matrix(matrix: Any) -> None:
    """Raises `_NotACell` for the first fault of a matrix, if there is one."""
    if not isinstance(matrix, tuple):
        raise _NotACell(f"matrix is {quoted(matrix)}, not rows of 0 and 1")
    vertices = len(matrix)
    if not MIN_VERTICES <= vertices <= MAX_VERTICES:
        raise _NotACell(f"matrix has {vertices} rows, allowed are {MIN_VERTICES} to {MAX_VERTICES} vertices")
    for source, row in enumerate(matrix):
        if not isinstance(row, tuple) or len(row) != vertices:
            raise _NotACell(f"matrix[{source}] is {quoted(row)}, not a row of {vertices} numbers: a matrix is square")
        for target, entry in enumerate(row):
            if type(entry) is not int or entry not in (0, 1):
                raise _NotACell(f"matrix[{source}][{target}] is {quoted(entry)}, not 0 or 1")
            if entry and source >= target:
                raise _NotACell(
                    f"matrix[{source}][{target}] is 1, but edges lead from a lower to a higher vertex: "
                    "the matrix is upper triangular, without a cycle"
                )


def _explain_ops(ops: Any, vertices: int) -> None:
    """Raises `_NotACell` for the first fault of the operations, if there is one."""
    if not isinstance(ops, tuple) or len(ops) != vertices:
        raise _NotACell(f"ops is {quoted(ops)}, not {vertices} names, one for each row of the matrix")
    for vertex, op in enumerate(ops):
        place = {0: (INPUT,), vertices - 1: (OUTPUT,)}
        allowed = place.get(vertex, OPS)
        if op not in allowed:
            raise _NotACell(f"unknown operation ops[{vertex}]={quoted(op)}, allowed there: {', '.join(allowed)}")


def _tuples(value: object) -> object:
    """Lists of JSON, two deep, as tuples."""
    if isinstance(value, list):
        return tuple(tuple(row) if isinstance(row, list) else row for row in value)
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    repeated = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if repeated is not None:
        raise _NotACell(f"the name {quoted(repeated)} is given twice")
    return dict(pairs)


def _no_number(text: str) -> object:
    raise _NotACell(f"{text} is no number of JSON")


def _malformed(text: str, what: str) -> InputError:
    return InputError(f"malformed NAS-Bench-101 cell {quoted(text)}: {what}")
