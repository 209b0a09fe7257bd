"""The parts that drawings of architectures are made of, as SVG elements; their colours are those of `DRAWING_STYLE`."""

from __future__ import annotations

import math
from html import escape

TEXT_SIZE = 13  # pixels of the view box
BOX_HEIGHT = 30

# Sans-serif letters are about half as wide as they are high; this is on the safe side.
_LETTER = 0.6
_TIP_LENGTH, _TIP_WIDTH = 8.0, 7.0


def text_width(content: str, size: float = TEXT_SIZE) -> float:
    """An upper estimate of the width of a text in pixels of the view box."""
    return _LETTER * size * len(content)


def text(x: float, y: float, content: str, css: str = "label", anchor: str = "middle") -> str:
    """A text whose baseline is at `y`."""
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def box(x: float, y: float, width: float, label: str, css: str) -> str:
    """A box of `BOX_HEIGHT` with its upper left corner at (x, y) and a label in its middle."""
    return f'<rect class="box {css}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BOX_HEIGHT}" rx="6"/>' + text(
        x + width / 2, y + BOX_HEIGHT / 2 + 4.5, label
    )


def tip(x: float, y: float, angle: float, css: str = "") -> str:
    """An arrowhead that ends at (x, y); `angle` in radians is its direction, 0 to the right, pi/2 downwards.

    Markers would need an id, which has to be unique among all drawings of a page.
    """
    along = (math.cos(angle) * _TIP_LENGTH, math.sin(angle) * _TIP_LENGTH)
    across = (-math.sin(angle) * _TIP_WIDTH / 2, math.cos(angle) * _TIP_WIDTH / 2)
    corners = [(x - along[0] + side * across[0], y - along[1] + side * across[1]) for side in (1, -1)]
    lines = "".join(f"L{a:.1f} {b:.1f}" for a, b in corners)
    return f'<path class="tip {css}" d="M{x:.1f} {y:.1f}{lines}z"/>'
