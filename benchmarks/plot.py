"""Draws a results file: benchmarks/results/ops.csv becomes benchmarks/results/ops.svg.

    python benchmarks/plot.py benchmarks/results/*.csv

Needs matplotlib (`pip install '.[bench]'`). Files that are not in the schema of `schema.py` are passed over by name.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")  # no display is needed

from labels import spread
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from schema import Result, read_csv
from table import duration

from wrcor_ext.reporting import numbers

# The package's own kernels stand out; the others share a quiet palette that colour-blind people can tell apart.
_COLOURS = {
    "native": "#0b6e99",
    "cupy": "#3c9fc7",
    "torch": "#8a94a3",
    "torch.compile": "#c46a1b",
    "numpy": "#4b8b3b",
}
_OTHERS = ("#a0529c", "#b8860b", "#7a5c4f")
# Of a label, as a share of the axis.
_LABEL_HEIGHT = 0.06
_INK, _SOFT, _GRID = "#1b2330", "#5d6878", "#dde2e9"
_STYLE = {
    "font.size": 9.5,
    "font.family": "sans-serif",
    "svg.fonttype": "none",  # text stays text: small files, and the reader's font
    "svg.hashsalt": "wrcor_ext",  # the same file from the same figures
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "text.color": _INK,
}


def draw(rows: Sequence[Result]) -> Figure:
    """The figure of one file."""
    painter = PAINTERS[rows[0].benchmark]
    with mpl.rc_context(_STYLE):
        return painter(rows)


def save(figure_: Figure, path: Path) -> None:
    """Writes an SVG without the date, so that the same figures give the same file."""
    with mpl.rc_context(_STYLE):
        figure_.savefig(path, format="svg", metadata={"Date": None})


def _ops(rows: Sequence[Result]) -> Figure:
    picture, (left, right) = _panels(rows)
    correlation = [
        r
        for r in rows
        if r.case.startswith("accumulate_correlation") and r.shape.startswith("64x") and r.dtype == "float32"
    ]
    copied = next((r for r in rows if r.case.startswith("copy_")), None)
    if copied is not None:
        left.axhline(copied.gb_per_s, color=_SOFT, linestyle=(0, (4, 3)), linewidth=1)
        left.annotate("a copy, read and written", (0.0, copied.gb_per_s), xycoords=("axes fraction", "data"),
                      xytext=(4, -4), textcoords="offset points", va="top", color=_SOFT)  # fmt: skip
    _lines(left, correlation, lambda r: float(r.shape.split("x")[1]), lambda r: r.gb_per_s)
    _axes(left, "GB/s of 64 x D float32 values, correlated into K", "D")
    squares = [r for r in rows if r.case == "slogdet" and r.shape.endswith("x64x64")]
    _lines(right, squares, lambda r: float(r.shape.split("x")[0]), lambda r: float(r.shape.split("x")[0]) / r.seconds)
    _axes(right, "log-determinants of 64 x 64 matrices a second", "matrices in a call")
    return picture


def _score(rows: Sequence[Result]) -> Figure:
    picture, (left, right) = _panels(rows)
    case = next(r.case for r in rows if r.baseline == "training step")
    whole = [r for r in rows if r.case == case and not r.backend.startswith(("pass,", "log-det"))]
    _bars(left, whole, lambda r: r.ratio, lambda r: f"{r.ratio:.2f}x")
    left.set_title(f"{case}, {whole[0].shape}: time over a training step", loc="left", fontsize=9.5)
    staged = [r for r in rows if r.case == f"{case}, stages"]
    _bars(right, staged, lambda r: 1e3 * r.seconds, lambda r: duration(r.seconds))
    right.set_title("stages of wrcor, milliseconds", loc="left", fontsize=9.5)
    return picture


def _panels(rows: Sequence[Result]) -> tuple[Figure, tuple[Axes, Axes]]:
    picture = Figure(figsize=(10.5, 4.2), layout="constrained")
    first = rows[0]
    where = f"{first.threads} thread(s)" if first.device == "cpu" else first.instruction_set
    picture.suptitle(f"{first.hardware}, {where}, torch {first.torch}", x=0.01, ha="left", fontsize=10.5)
    left, right = picture.subplots(1, 2)
    return picture, (left, right)


def _axes(axes: Axes, title: str, x: str) -> None:
    axes.set_title(title, loc="left", fontsize=9.5)
    axes.set_xlabel(x)
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        axis.set_major_locator(LogLocator(subs=(1.0,) if high > 100 * low else (1.0, 2.0, 5.0)))
        axis.set_major_formatter(lambda value, _: numbers.tick(value))
    axes.grid(visible=True, which="major", color=_GRID, linewidth=0.8)
    axes.minorticks_off()
    axes.set_axisbelow(True)


def _lines(axes: Axes, rows: Sequence[Result], x: Callable[[Result], float], y: Callable[[Result], float]) -> None:
    """A line for each backend on logarithmic axes, with its name at the end instead of a legend."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    ends = {}
    others = iter(_OTHERS)
    for name in dict.fromkeys(row.backend for row in rows):
        points = sorted({x(row): y(row) for row in rows if row.backend == name and row.samples}.items())
        if not points:
            continue
        colour = _COLOURS.get(name) or next(others, _SOFT)
        own = name in ("native", "cupy")
        axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3.5, linewidth=2.4 if own else 1.4)
        ends[name] = (*points[-1], colour)
    low, high = axes.get_ylim()
    apart = (high / low) ** _LABEL_HEIGHT
    heights = spread({name: height for name, (_, height, _) in ends.items()}, apart)
    for name, (end, height, colour) in ends.items():
        axes.annotate(name, (end, height), xytext=(1.03, heights[name]), textcoords=("axes fraction", "data"),
                      va="center", color=colour, annotation_clip=False)  # fmt: skip


def _bars(axes: Axes, rows: Sequence[Result], length: Callable[[Result], float], text: Callable[[Result], str]) -> None:
    """Bars from top to bottom, with their figures at the end instead of a scale."""
    shown = [row for row in rows if row.samples]
    colours = [_COLOURS["native"] if "wrcor" in r.backend or r.case.endswith("stages") else "#b9c2cf" for r in shown]
    bars = axes.barh([row.backend for row in shown], [length(row) for row in shown], color=colours, height=0.66)
    axes.bar_label(bars, [text(row) for row in shown], padding=4)
    axes.invert_yaxis()
    axes.margins(x=0.25)
    axes.axvline(0.0, color=_GRID, linewidth=1)
    axes.tick_params(axis="y", length=0, labelcolor=_INK)
    axes.xaxis.set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


PAINTERS = {"ops": _ops, "score": _score}
"""By benchmark, how its picture is drawn; others have none."""


def main() -> int:
    """Draws every file that is in the schema; the exit code is 1 where none is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    drawn = 0
    for file in parser.parse_args().files:
        try:
            rows = read_csv(file)
        except ValueError as error:
            print(f"passed over: {error}", file=sys.stderr)
            continue
        save(draw(rows), file.with_suffix(".svg"))
        print(f"drawn: {file.with_suffix('.svg')}")
        drawn += 1
    return 0 if drawn else 1


if __name__ == "__main__":
    sys.exit(main())
