"""What was to be reached, and what was measured: draws every results file and writes benchmarks/results/README.md.

    python benchmarks/summary.py

A column for each results file's machine; that of GPUs is empty as long as there is no file of a card. Without
matplotlib (`pip install '.[bench]'`) the table is written all the same.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from schema import RESULTS, Result, read_csv

_ALL_CONV = "nasbench201 all-conv"
_CORRELATION = "response_correlation"

_HEAD = """\
# Results

Written by `python benchmarks/summary.py` (`make bench` and `make gpu` call it); the columns of the files are explained
in [../README.md](../README.md). Ratios are of medians of one run; the goals are for a GPU.
"""
_NO_GPU = """\
**No GPU has been at hand yet: the last column is empty.** `make gpu` on a machine that has one fills it. Nothing in
these files is an estimate.
"""


@dataclass(frozen=True)
class Goal:
    """Something to be reached on a GPU, and where it is found among the rows."""

    what: str
    goal: str
    found: Callable[[Sequence[Result]], float]
    text: Callable[[float], str]


def of(rows: Sequence[Result], case: str, backend: str, shape: str = "") -> Result | None:
    """The row of a contender in float32, or None."""
    for row in rows:
        if (row.case, row.backend, row.dtype) == (case, backend, "float32") and shape in ("", row.shape):
            return row
    return None


def seconds(rows: Sequence[Result], case: str, backend: str, shape: str = "") -> float:
    """The median of a contender, NaN where it was not measured."""
    row = of(rows, case, backend, shape)
    return math.nan if row is None else row.seconds


def own(rows: Sequence[Result], field: str) -> float:
    """A figure of the package's own correlation of the target shape."""
    row = next((r for r in rows if r.case == _CORRELATION and r.backend == r.baseline and r.shape == "64x131072"), None)
    return math.nan if row is None else float(getattr(row, field))


def _times(value: float) -> str:
    return f"{value:.2f}x"


GOALS = (
    Goal(
        "correlation of [64, 131072] float32, share of the bandwidth of a copy",
        "at least 75 %",
        lambda rows: own(rows, "share_of_copy"),
        lambda value: f"{100 * value:.0f} %",
    ),
    Goal(
        "the same, time of `torch.corrcoef` over it",
        "at least 4x",
        lambda rows: seconds(rows, _CORRELATION, "torch.corrcoef", "64x131072") / own(rows, "seconds"),
        _times,
    ),
    Goal(
        "exact `wrcor` of an all-conv NAS-Bench-201 network, batch 64, over its forward + input gradient",
        "at most 1.2x",
        lambda rows: seconds(rows, _ALL_CONV, "wrcor") / seconds(rows, _ALL_CONV, "forward + input gradient"),
        _times,
    ),
    Goal(
        "the same, over a training step",
        "",
        lambda rows: seconds(rows, _ALL_CONV, "wrcor") / seconds(rows, _ALL_CONV, "training step"),
        _times,
    ),
    Goal(
        "`numpy.corrcoef` on the host from the same hooks, over `wrcor`",
        "at least 15x",
        lambda rows: seconds(rows, _ALL_CONV, "numpy on the host") / seconds(rows, _ALL_CONV, "wrcor"),
        _times,
    ),
)


def text(files: dict[str, list[Result]], drawn: Collection[str] = ()) -> str:
    """The page: a column for each machine, and an empty one where there is no card among them.

    Args:
        files: rows by file name.
        drawn: files that have a picture.
    """
    machines: dict[tuple[str, str], list[Result]] = {}
    for rows in files.values():
        for row in rows:
            machines.setdefault((row.device, row.hardware), []).append(row)
    columns = [
        f"{name}, {rows[0].threads} thread(s)" if kind == "cpu" else name for (kind, name), rows in machines.items()
    ]
    cells = [[_cell(goal, rows) for rows in machines.values()] for goal in GOALS]
    gpu = any(kind == "cuda" for kind, _ in machines)
    if not gpu:
        columns.append("GPU")
        cells = [[*line, ""] for line in cells]
    lines = [["what", "goal", *columns], ["---"] * (2 + len(columns))]
    lines += [[goal.what, goal.goal, *line] for goal, line in zip(GOALS, cells, strict=True)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    links = [f"- [{name}]({name})" + (f", [drawn]({_picture(name)})" if name in drawn else "") for name in files]
    return "\n".join([_HEAD, *([] if gpu else [_NO_GPU]), table, "", *links, *([""] if links else [])])


def _picture(name: str) -> str:
    return str(Path(name).with_suffix(".svg"))


def _cell(goal: Goal, rows: Sequence[Result]) -> str:
    value = goal.found(rows)
    return "" if math.isnan(value) else goal.text(value)


def _results(path: Path) -> list[Result]:
    try:
        return read_csv(path)
    except ValueError:  # rankings have columns of their own
        return []


def main(folder: Path = RESULTS) -> int:
    """Draws the files that are in the schema, and writes the page."""
    files = {path.name: rows for path in sorted(folder.glob("*.csv")) if (rows := _results(path))}
    drawn = _drawn(files, folder)
    (folder / "README.md").write_text(text(files, drawn), encoding="utf-8")
    print("written: README.md of the results")
    return 0


def _drawn(files: dict[str, list[Result]], folder: Path) -> list[str]:
    """Draws a picture of each file, where that is possible; the files that have one now."""
    if importlib.util.find_spec("matplotlib") is None:
        print("no pictures: there is no matplotlib")
        return []
    import plot

    drawn = [name for name, rows in files.items() if rows[0].benchmark in plot.PAINTERS]
    for name in drawn:
        plot.save(plot.draw(files[name]), folder / _picture(name))
        print(f"drawn: {_picture(name)}")
    return drawn


if __name__ == "__main__":
    sys.exit(main())
