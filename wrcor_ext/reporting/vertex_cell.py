"""A NAS-Bench-101 cell as a drawing: operations in boxes, from the input above to the output below."""

from __future__ import annotations

import math

from wrcor_ext.reporting import graph_layout, shapes
from wrcor_ext.reporting.graph_layout import Edge, Item, Layout
from wrcor_ext.reporting.operations import LABELS
from wrcor_ext.reporting.picture import Picture
from wrcor_ext.spaces.nasbench101_cell import Cell, decode, encode

BOX_WIDTH = 108.0
_MARGIN = 14.0
_GAP = 42.0  # between rows, for the edges to bend in
_PORTS = 76.0  # the part of a box's width that edges begin and end at, 16 apart if there is room

_STYLES = {"conv3x3-bn-relu": "conv3", "conv1x1-bn-relu": "conv1", "maxpool3x3": "pool"}


def picture(cell: Cell) -> Picture:
    """The drawing of a valid cell, pruned."""
    cell = decode(encode(cell))
    edges = [(s, t) for s, matrix_row in enumerate(cell.matrix) for t, edge in enumerate(matrix_row) if edge]
    found = graph_layout.layout(edges, BOX_WIDTH)
    starts, ends = _ports(found, outgoing=True), _ports(found, outgoing=False)
    parts = [_edge(found, edge, starts[edge], ends[edge]) for edge in edges]
    for vertex, op in enumerate(cell.ops):
        x = _MARGIN + found.x[(vertex,)] - BOX_WIDTH / 2
        parts.append(shapes.box(x, _top(found.row[vertex]), BOX_WIDTH, LABELS[op], _STYLES.get(op, "end")))
    height = _top(max(found.row.values())) + shapes.BOX_HEIGHT + _MARGIN
    title = f"NAS-Bench-101 cell of {len(cell.ops)} vertices and {len(edges)} edges: {', '.join(cell.ops)}"
    return Picture(math.ceil(found.width + 2 * _MARGIN), math.ceil(height), title, "".join(parts))


def _top(row: int) -> float:
    return _MARGIN + row * (shapes.BOX_HEIGHT + _GAP)


def _ports(found: Layout, *, outgoing: bool) -> dict[Edge, float]:
    """Where along its vertex each edge begins, or ends: side by side, in the order of what lies at its other end."""
    by_vertex: dict[int, list[tuple[float, Edge]]] = {}
    for edge, chain in found.chains.items():
        neighbour: Item = chain[1] if outgoing else chain[-2]
        by_vertex.setdefault(edge[0] if outgoing else edge[1], []).append((found.x[neighbour], edge))
    places = {}
    for vertex, beside in by_vertex.items():
        step = min(16.0, _PORTS / len(beside))
        for number, (_, edge) in enumerate(sorted(beside)):
            places[edge] = found.x[(vertex,)] + (number - (len(beside) - 1) / 2) * step
    return places


def _edge(found: Layout, edge: Edge, start: float, end: float) -> str:
    row, last = found.row[edge[0]], found.row[edge[1]]
    x, y = _MARGIN + start, _top(row) + shapes.BOX_HEIGHT
    path = f"M{x:.1f} {y:.1f}"
    for item in found.chains[edge][1:]:
        row += 1
        to_x = _MARGIN + (end if row == last else found.x[item])
        to_y = _top(row) - (4.0 if row == last else 0.0)
        path += f"C{x:.1f} {(y + to_y) / 2:.1f} {to_x:.1f} {(y + to_y) / 2:.1f} {to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y
        if row < last:  # straight through the row, in its lane
            y += shapes.BOX_HEIGHT
            path += f"V{y:.1f}"
    return f'<path class="edge" d="{path}"/>' + shapes.tip(x, y + 3.0, math.pi / 2)
