"""Cells of NAS-Bench-201: four nodes, one of five operations on each of the six edges; their text form and order."""

from __future__ import annotations

import random
from itertools import product
from typing import TypeAlias

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.quoting import quoted

# Six operation names, edges ordered 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2 (target<-source).
Cell: TypeAlias = tuple[str, ...]

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = tuple((node, source) for node in (1, 2, 3) for source in range(node))
SIZE: int = len(OPS) ** len(EDGES)

# The seed with which the benchmark's authors shuffled the cells: a cell's position is its official index.
_ORDER_SEED = 88


def official_order() -> list[Cell]:
    """All 15,625 cells; the position of a cell is its index in NAS-Bench-201 and NATS-Bench."""
    cells: list[Cell] = list(product(OPS, repeat=len(EDGES)))
    random.Random(_ORDER_SEED).shuffle(cells)
    return cells


def check_cell(cell: object) -> None:
    """Checks that a value is a cell.

    Raises:
        InputError: if it is not a tuple of six operation names.
    """
    if not isinstance(cell, tuple) or len(cell) != len(EDGES) or any(op not in OPS for op in cell):
        raise InputError(f"{quoted(cell)} is not a NAS-Bench-201 cell: six operations of {', '.join(OPS)}")


def format_cell(cell: Cell) -> str:
    """The official string of a valid cell."""
    return "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*cell)


def parse_cell(text: str) -> Cell:
    """The cell of an official string `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`.

    Raises:
        InputError: for anything else; it names the first offending part and its position, counted from 1.
    """
    if not isinstance(text, str):
        raise InputError(f"a NAS-Bench-201 cell is a text, not {quoted(text)}")
    ops: list[str] = []
    start = 0
    groups = text.split("+")
    for node, group in enumerate(groups, start=1):
        if node > 3:
            raise _malformed(text, start, f"the number of nodes is {len(groups)} instead of 3")
        ops += _parse_node(text, start, node, group)
        start += len(group) + 1
    if len(groups) < 3:
        raise _malformed(text, len(text), f"the number of nodes is {len(groups)} instead of 3")
    return tuple(ops)


def _parse_node(text: str, start: int, node: int, group: str) -> list[str]:
    """The operations of `group`, which is `|op~0|...|` and stands at `start` of the whole text."""
    if len(group) < 2 or not (group.startswith("|") and group.endswith("|")):
        raise _malformed(text, start, f"node {node} is {quoted(group)} and not enclosed in '|'")
    edges = group[1:-1].split("|")
    position = start + 1
    ops = []
    for source, edge in enumerate(edges):
        op = edge.partition("~")[0]
        if source == node:
            raise _malformed(text, position, f"the number of edges of node {node} is {len(edges)} instead of {node}")
        if op not in OPS:
            raise _malformed(text, position, f"unknown operation {quoted(op)}, allowed are {', '.join(OPS)}")
        if edge != f"{op}~{source}":
            raise _malformed(text, position + len(op), f"edge {quoted(edge)} of node {node} must end in '~{source}'")
        ops.append(op)
        position += len(edge) + 1
    if len(edges) < node:
        raise _malformed(text, position - 1, f"the number of edges of node {node} is {len(edges)} instead of {node}")
    return ops


def _malformed(text: str, offset: int, what: str) -> InputError:
    return InputError(f"malformed NAS-Bench-201 cell {quoted(text)} at character {offset + 1}: {what}")
