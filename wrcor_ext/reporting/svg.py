"""The charts of a report as inline SVG. Colours come from the page's style sheet, so they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from wrcor_ext.reporting import numbers

Point = tuple[float, float]

WIDTH, HEIGHT = 430, 290
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 20, 46  # margins: room for tick labels and axis titles

LABEL_ROOM = 80  # for the name of a line

# More dots than this only make the page slow: they cover each other.
MAX_DOTS = 3000


@dataclass(frozen=True)
class Mark:
    """A highlighted point with a label that appears when pointed at."""

    x: float
    y: float
    label: str


@dataclass(frozen=True)
class Line:
    """A line that keeps its height until the next point, with its name at the end."""

    points: Sequence[Point]
    label: str


@dataclass(frozen=True)
class Axis:
    """A linear axis: its title, its range, how its ticks are written, and whether only whole numbers have one."""

    title: str
    low: float
    high: float
    text: Callable[[float], str] = numbers.tick
    whole: bool = False

    @classmethod
    def over(
        cls, values: Iterable[float], title: str, text: Callable[[float], str] = numbers.tick, *, whole: bool = False
    ) -> Axis:
        """An axis that holds all values with a little room around them."""
        values = list(values)
        low, high = min(values), max(values)
        room = 0.04 * (high - low) or max(abs(high), 1.0) * 0.04
        return cls(title, low - room, high + room, text, whole)

    def holds(self, value: float) -> bool:
        """Whether a value lies on the axis."""
        return self.low <= value <= self.high

    def ticks(self, wanted: int = 5) -> list[float]:
        """Round numbers inside the range, about so many."""
        raw = max((self.high - self.low) / wanted, 1.0 if self.whole else 0.0)
        base = 10.0 ** math.floor(math.log10(raw))
        steps = (base * factor for factor in (1, 2, 2.5, 5, 10))
        step = next(step for step in steps if step >= raw and not (self.whole and step % 1))
        first = math.ceil(self.low / step)
        return [step * index for index in range(first, math.floor(self.high / step) + 1)]


def chart(
    x: Axis,
    y: Axis,
    *,
    title: str,
    dots: Sequence[Point] = (),
    strong: Sequence[Point] = (),
    line: Line | None = None,
    marks: Sequence[Mark] = (),
) -> str:
    """A chart.

    Args:
        x: the horizontal axis.
        y: the vertical axis; points that lie beyond an axis are left out.
        title: what it shows, for people who cannot see it.
        dots: points drawn faintly; thinned where there are too many.
        strong: points drawn over them, thinned as well.
        line: drawn over the dots.
        marks: highlighted points.
    """

    def px(value: float) -> float:
        return LEFT + (value - x.low) / (x.high - x.low) * (WIDTH - LEFT - RIGHT)

    def py(value: float) -> float:
        return HEIGHT - BOTTOM - (value - y.low) / (y.high - y.low) * (HEIGHT - TOP - BOTTOM)

    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(title)}</title>']
    for tick in x.ticks():
        parts.append(f'<line class="grid" x1="{px(tick):.1f}" x2="{px(tick):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(_text(px(tick), HEIGHT - BOTTOM + 17, x.text(tick), "middle"))
    for tick in y.ticks():
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(tick):.1f}" y2="{py(tick):.1f}"/>')
        parts.append(_text(LEFT - 6, py(tick) + 4, y.text(tick), "end"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x.title, "middle"))
    parts.append(_text(0, 0, y.title, "middle", f"translate(13 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"))
    for style, points in (("dots", dots), ("dots strong", strong)):
        # One path of zero-length strokes with round caps: a fraction of the size of one circle per point.
        shown = [(px(a), py(b)) for a, b in _thinned([(a, b) for a, b in points if x.holds(a) and y.holds(b)])]
        if shown:
            parts.append(f'<path class="{style}" d="{"".join(f"M{a:.1f} {b:.1f}h0" for a, b in shown)}"/>')
    if line is not None and line.points:
        parts.append(_stepped([(px(a), py(b)) for a, b in line.points], line.label))
    parts += [
        f'<circle class="mark" cx="{px(m.x):.1f}" cy="{py(m.y):.1f}" r="5"><title>{escape(m.label)}</title></circle>'
        for m in marks
        if x.holds(m.x) and y.holds(m.y)
    ]
    return "".join(parts) + "</svg>"


def _stepped(places: Sequence[Point], label: str) -> str:
    """A line through places of the drawing, with its name at its end, on the side where no other part of it is."""
    path = f"M{places[0][0]:.1f} {places[0][1]:.1f}" + "".join(f"H{a:.1f}V{b:.1f}" for a, b in places[1:])
    (start_x, start_y), (x, y) = places[0], places[-1]
    if y > start_y:  # falls: the corner to the right of its end is empty
        x, y, anchor = min(x + 10, WIDTH - RIGHT - LABEL_ROOM / 2), y + 4, "start"
    elif x < start_x:
        x, y, anchor = min(x, WIDTH - RIGHT - LABEL_ROOM), y - 9, "start"
    else:
        x, y, anchor = max(x, LEFT + LABEL_ROOM), y - 9, "end"
    return (
        f'<path class="steps" d="{path}"/>'
        f'<text class="name" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(label)}</text>'
    )


def _text(x: float, y: float, content: str, anchor: str, transform: str = "") -> str:
    attribute = f' transform="{transform}"' if transform else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{attribute}>{escape(content)}</text>'


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    stride = -(-len(points) // MAX_DOTS)
    return points[::stride] if stride > 1 else points
