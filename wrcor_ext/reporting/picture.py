"""A drawing of an architecture, as a file of its own or as a part of a page."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

# Colours belong to the drawing, so that it is readable on any page; the names of variables and classes stay inside it.
DRAWING_STYLE = """
.architecture { --ink: #1b2330; --soft: #5d6878; --line: #cfd6df; --paper: #ffffff;
  --conv3: #2f6fde; --conv1: #0b8599; --conv5: #7a4fd0; --pool: #c46f00; --skip: #6b7686;
  font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-variant-numeric: tabular-nums;
  color: var(--ink); }
@media (prefers-color-scheme: dark) { .architecture { --ink: #e6eaf0; --soft: #9aa6b6; --line: #3b4553;
  --paper: #1b212b; --conv3: #74a7ff; --conv1: #4dd0e1; --conv5: #b79aff; --pool: #ffb74d; --skip: #98a3b3; } }
.architecture text { fill: currentColor; stroke: none; }
.architecture .strong { font-weight: 600; }
.architecture .soft { fill: var(--soft); font-size: 11px; }
.architecture .paper { fill: var(--paper); }
.architecture .rule { stroke: var(--line); stroke-width: 1; }
.architecture .edge { fill: none; stroke: var(--soft); stroke-width: 2; }
.architecture .tip { fill: var(--soft); }
.architecture .box, .architecture .node { fill: var(--paper); stroke: currentColor; stroke-width: 1.6; }
.architecture .conv1 { stroke: var(--conv1); }
.architecture .tip.conv1, .architecture .fill.conv1 { fill: var(--conv1); }
.architecture .conv3 { stroke: var(--conv3); }
.architecture .tip.conv3, .architecture .fill.conv3 { fill: var(--conv3); }
.architecture .conv5 { stroke: var(--conv5); }
.architecture .tip.conv5, .architecture .fill.conv5 { fill: var(--conv5); }
.architecture .pool { stroke: var(--pool); }
.architecture .tip.pool, .architecture .fill.pool { fill: var(--pool); }
.architecture .skip { stroke: var(--skip); }
.architecture .tip.skip, .architecture .fill.skip { fill: var(--skip); }
.architecture .edge.skip { stroke-dasharray: 5 4; }
.architecture .fill, .architecture .tip { stroke: none; }
.architecture .unused { opacity: .45; }
"""


@dataclass(frozen=True)
class Picture:
    """A drawing.

    Attributes:
        width: of the view box, in pixels.
        height: likewise.
        title: what it shows, for people who cannot see it.
        body: SVG elements.
    """

    width: int
    height: int
    title: str
    body: str

    def svg(self) -> str:
        """A file of its own: with its style, and a background, because viewers show dark text on dark otherwise."""
        background = f'<rect class="paper" width="{self.width}" height="{self.height}" rx="8"/>'
        size = f'width="{self.width}" height="{self.height}"'
        return self._svg(f'xmlns="http://www.w3.org/2000/svg" {size} ', f"<style>{DRAWING_STYLE}</style>{background}")

    def element(self) -> str:
        """An element for a page whose style sheet holds `DRAWING_STYLE`; as large as the file where there is room."""
        return self._svg(f'style="width:{self.width}px" ', "")

    def _svg(self, attributes: str, before: str) -> str:
        return (
            f'<svg {attributes}class="architecture" viewBox="0 0 {self.width} {self.height}" role="img">'
            f"<title>{escape(self.title)}</title>{before}{self.body}</svg>"
        )
