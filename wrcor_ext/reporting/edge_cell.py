"""A NAS-Bench-201 cell as a drawing: four nodes on a line, operations on the edges between them."""

from __future__ import annotations

import math

from wrcor_ext.reporting import shapes
from wrcor_ext.reporting.operations import LABELS
from wrcor_ext.reporting.picture import Picture
from wrcor_ext.spaces.nasbench201_cell import EDGES, Cell, format_cell

WIDTH, HEIGHT = 460, 240
_NODES = (32, 164, 296, 428)  # x; all nodes lie on one line
_NODE_LABELS = ("in", "1", "2", "out")
_LINE = 148
_RADIUS = 19

# Edges that skip a node are curves: height of their control points, and how far from the middle of a node they end.
_CURVES = {(0, 3): (-14, 2), (0, 2): (62, 10), (1, 3): (232, 8)}
_STYLES = {"nor_conv_3x3": "conv3", "nor_conv_1x1": "conv1", "avg_pool_3x3": "pool", "skip_connect": "skip"}


def picture(cell: Cell) -> Picture:
    """The drawing of a valid cell; edges of `none` are left out, those on no path from in to out are faint."""
    carrying = {(source, target): op for (target, source), op in zip(EDGES, cell, strict=True) if op != "none"}
    alive = _on_paths(set(carrying))
    parts = [_edge(source, target, op, (source, target) in alive) for (source, target), op in carrying.items()]
    for x, label in zip(_NODES, _NODE_LABELS, strict=True):
        parts.append(f'<circle class="node" cx="{x}" cy="{_LINE}" r="{_RADIUS}"/>')
        parts.append(shapes.text(x, _LINE + 4.5, label, "label strong"))
    if not alive:
        parts.append(shapes.text(WIDTH / 2, _LINE - 60, "no path from in to out", "soft"))
    return Picture(WIDTH, HEIGHT, f"NAS-Bench-201 cell {format_cell(cell)}", "".join(parts))


def _on_paths(edges: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """The edges that lie on a path from the first node to the last."""
    from_input, to_output = {0}, {len(_NODES) - 1}
    for source, target in sorted(edges):
        if source in from_input:
            from_input.add(target)
    for source, target in sorted(edges, reverse=True):
        if target in to_output:
            to_output.add(source)
    return {(source, target) for source, target in edges if source in from_input and target in to_output}


def _edge(source: int, target: int, op: str, alive: bool) -> str:
    x1, x2 = _NODES[source], _NODES[target]
    style = _STYLES[op] if alive else f"{_STYLES[op]} unused"
    if (source, target) in _CURVES:
        control, aside = _CURVES[source, target]
        side = 1 if control > _LINE else -1
        start, end = _LINE + side * (_RADIUS - 2), _LINE + side * (_RADIUS + 1)
        path = f"M{x1 + aside} {start}C{x1 + 34} {control} {x2 - 34} {control} {x2 - aside} {end}"
        tip = shapes.tip(x2 - aside, end, math.atan2(end - control, 34 - aside), style)
        # The middle of a cubic curve: a quarter of its ends and three quarters of its control points.
        label_y = (start + end) / 8 + 0.75 * control + (16 if side > 0 else -6)
    else:
        path = f"M{x1 + _RADIUS} {_LINE}H{x2 - _RADIUS - 4}"
        tip = shapes.tip(x2 - _RADIUS - 1, _LINE, 0.0, style)
        label_y = _LINE - 8
    label = shapes.text((x1 + x2) / 2, label_y, LABELS[op], "label" if alive else "label unused")
    return f'<path class="edge {style}" d="{path}"/>{tip}{label}'
