"""A NAS-Bench-201 cell drawn as a graph."""

from __future__ import annotations

import re
from html import escape

WIDTH, HEIGHT = 460, 250
_NODES = {0: (34, 120), 1: (164, 120), 2: (296, 120), 3: (426, 120)}
_NODE_LABELS = {0: "in", 1: "1", 2: "2", 3: "out"}
_RADIUS = 19

# (source, target) -> height of the control points of the edge's curve, and the middle of its label
_CURVES = {
    (0, 1): (120, 102),
    (1, 2): (120, 102),
    (2, 3): (120, 102),
    (0, 2): (18, 45),
    (1, 3): (222, 208),
    (0, 3): (290, 244),
}
_LABELS = {
    "nor_conv_3x3": "conv 3\N{MULTIPLICATION SIGN}3",
    "nor_conv_1x1": "conv 1\N{MULTIPLICATION SIGN}1",
    "avg_pool_3x3": "pool 3\N{MULTIPLICATION SIGN}3",
    "skip_connect": "skip",
}


def draw(architecture: str) -> str | None:
    """The cell of an official NAS-Bench-201 string as an SVG element; None for the text of any other space.

    Edges of `none` are left out. An operation decides the style of its edge through the class `op-NAME`.
    """
    nodes = [re.findall(r"([a-z0-9_]+)~(\d)", group) for group in architecture.split("+")]
    if [len(edges) for edges in nodes] != [1, 2, 3]:
        return None
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="cell {escape(architecture)}">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>',
    ]
    for target, edges in enumerate(nodes, start=1):
        parts += [_edge(int(source), target, op) for op, source in edges if op != "none"]
    for node, (x, y) in _NODES.items():
        parts.append(f'<circle class="node" cx="{x}" cy="{y}" r="{_RADIUS}"/>')
        parts.append(f'<text class="node-label" x="{x}" y="{y + 5}" text-anchor="middle">{_NODE_LABELS[node]}</text>')
    return "".join(parts) + "</svg>"


def _edge(source: int, target: int, op: str) -> str:
    (x1, y1), (x2, y2) = _NODES[source], _NODES[target]
    control, label_y = _CURVES[source, target]
    if control == y1:
        path = f"M{x1 + _RADIUS} {y1}H{x2 - _RADIUS - 3}"
    else:
        side = 1 if control > y1 else -1
        start, end = y1 + side * (_RADIUS - 3), y2 + side * (_RADIUS + 1)
        path = f"M{x1 + 9} {start}C{x1 + 34} {control} {x2 - 34} {control} {x2 - 7} {end}"
    label = escape(_LABELS.get(op, op))
    middle = (x1 + x2) / 2
    return (
        f'<path class="edge op-{escape(op)}" d="{path}" marker-end="url(#tip)"/>'
        f'<text class="op" x="{middle}" y="{label_y}" text-anchor="middle">{label}</text>'
    )
