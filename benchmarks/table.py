"""Results as tables for people."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from schema import Result

_NONE = "\N{EN DASH}"


def show(console: Console, rows: Sequence[Result]) -> None:
    """Prints the rows of one case; columns without any figure are left out."""
    first = rows[0]
    columns = {
        "median": [duration(row.seconds) for row in rows],
        "min": [duration(row.seconds_min) for row in rows],
        "max": [duration(row.seconds_max) for row in rows],
        "ratio": [figure(row.ratio, "x") for row in rows],
        "ratio (cpu)": [figure(row.cpu_ratio, "x") for row in rows],
        "GB/s": [figure(row.gb_per_s) for row in rows],
        "GFLOP/s": [figure(row.gflop_per_s) for row in rows],
        "of copy": [figure(100.0 * row.share_of_copy, " %") for row in rows],
        "error": [_NONE if math.isnan(row.error) else f"{row.error:.1e}" for row in rows],
    }
    what = f" [{first.shape}] {first.dtype}" if first.shape else ""
    title = f"{first.case}{what}, {first.device}, {first.cache} cache"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("")
    shown = {name: cells for name, cells in columns.items() if any(cell != _NONE for cell in cells)}
    for name in shown:
        table.add_column(name, justify="right")
    for index, row in enumerate(rows):
        table.add_row(row.backend, *(cells[index] for cells in shown.values()))
    console.print()
    console.print(table)


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them, to three digits; a dash for NaN."""
    if math.isnan(seconds):
        return _NONE
    size, unit = next((s, u) for s, u in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")) if abs(seconds) >= s or u == "us")
    return f"{figure(seconds / size)} {unit}"


def figure(value: float, unit: str = "") -> str:
    """To three digits, never in exponent form; a dash for NaN."""
    if math.isnan(value):
        return _NONE
    decimals = 0 if not value else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(decimals, 6)}f}{unit}"
