"""A NAS-Bench-201 cell drawn as a graph."""

from __future__ import annotations

import re
from html import escape

WIDTH, HEIGHT = 460, 240
_NODES = {0: 32, 1: 164, 2: 296, 3: 428}  # x; all nodes lie on one line
_NODE_LABELS = {0: "in", 1: "1", 2: "2", 3: "out"}
_LINE = 148
_RADIUS = 19

# Edges that skip a node are curves: height of their control points, and how far from the middle of a node they end.
_CURVES = {(0, 3): (-14, 2), (0, 2): (62, 10), (1, 3): (232, 8)}
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
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="4.5" markerHeight="4.5" orient="auto">'
        '<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>',
    ]
    for target, edges in enumerate(nodes, start=1):
        parts += [_edge(int(source), target, op) for op, source in edges if op != "none"]
    for node, x in _NODES.items():
        label = _NODE_LABELS[node]
        parts.append(f'<circle class="node" cx="{x}" cy="{_LINE}" r="{_RADIUS}"/>')
        parts.append(f'<text class="node-label" x="{x}" y="{_LINE + 5}" text-anchor="middle">{label}</text>')
    return "".join(parts) + "</svg>"


def _edge(source: int, target: int, op: str) -> str:
    x1, x2 = _NODES[source], _NODES[target]
    if (source, target) in _CURVES:
        control, aside = _CURVES[source, target]
        side = 1 if control > _LINE else -1
        start, end = _LINE + side * (_RADIUS - 2), _LINE + side * (_RADIUS + 3)
        path = f"M{x1 + aside} {start}C{x1 + 34} {control} {x2 - 34} {control} {x2 - aside} {end}"
        # The middle of a cubic curve: a quarter of its ends and three quarters of its control points.
        label_y = (start + end) / 8 + 0.75 * control + (16 if side > 0 else -6)
    else:
        path = f"M{x1 + _RADIUS} {_LINE}H{x2 - _RADIUS - 3}"
        label_y = _LINE - 8
    label, middle = escape(_LABELS.get(op, op)), (x1 + x2) / 2
    return (
        f'<path class="edge op-{escape(op)}" d="{path}" marker-end="url(#tip)"/>'
        f'<text class="op" x="{middle}" y="{label_y:.0f}" text-anchor="middle">{label}</text>'
    )
