"""Drawings of architectures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.reporting import block_table, edge_cell, vertex_cell
from wrcor_ext.reporting.picture import Picture
from wrcor_ext.spaces import mobilenetv2_arch, nasbench101_cell
from wrcor_ext.spaces.quoting import quoted

# Space -> what draws a valid architecture of it.
_DRAWN: dict[str, Callable[[Any], Picture]] = {
    "nasbench201": edge_cell.picture,
    "nasbench101": vertex_cell.picture,
    "mobilenetv2": block_table.picture,
}


def draw(arch: object, space: str | None = None) -> str:
    """An architecture as an SVG file: light or dark after the reader's setting, with a title for screen readers.

    Cells of NAS-Bench-201 and NAS-Bench-101 are drawn as graphs, MobileNetV2 architectures as tables of their blocks.

    Args:
        arch: an architecture of one of these spaces, or its text.
        space: name of the space; not needed for an architecture that is no text.

    Returns:
        The text of the file, which may also be put into an HTML page as it is.

    Raises:
        InputError: for a text without its space, a space without drawings, or anything that is no architecture of it.
    """
    if space is None:
        space = _space_of(arch)
    if space not in _DRAWN:
        raise InputError(f"there is no drawing of space {space!r}, only of {', '.join(_DRAWN)}")
    return _picture(arch, space).svg()


def element(arch: object, space: str) -> str | None:
    """The same as an element for a page whose style sheet holds `DRAWING_STYLE`; None for what cannot be drawn."""
    if space not in _DRAWN:
        return None
    try:
        return _picture(arch, space).element()
    except InputError:
        return None


def _picture(arch: object, space: str) -> Picture:
    known = spaces.get(space)
    # Formatting checks an architecture; parsing gives it the one form that is drawn.
    return _DRAWN[space](known.parse(arch if isinstance(arch, str) else known.format(arch)))


def _space_of(arch: object) -> str:
    if isinstance(arch, nasbench101_cell.Cell):
        return "nasbench101"
    if isinstance(arch, mobilenetv2_arch.Architecture):
        return "mobilenetv2"
    if isinstance(arch, tuple):
        return "nasbench201"
    what = (
        f"the space of {quoted(arch)} is not given" if isinstance(arch, str) else f"{quoted(arch)} is no architecture"
    )
    raise InputError(f"{what}: draw(text, space) draws texts of {', '.join(_DRAWN)}")
