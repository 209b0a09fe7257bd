"""The charts of a report: the best score so far, and scores against costs with the front between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from wrcor_ext.reporting import numbers
from wrcor_ext.reporting.candidate import Candidate, Candidates, Floats
from wrcor_ext.reporting.statistics import front
from wrcor_ext.reporting.svg import MAX_DOTS, Axis, Line, Mark, Point, chart

# A line of more steps than this looks the same.
MAX_STEPS = 1000


def charts(candidates: Candidates, best: Mapping[int, Candidate], objective: str) -> str:
    """Of one objective, both charts, or nothing where no candidate has a score."""
    scored = ~np.isnan(candidates.objective)
    if not scored.any():
        return ""
    values = candidates.objective[scored]
    score_axis = axis_of_scores(values, objective)
    shown = [best_so_far(candidates.trial[scored], values, score_axis)]
    counted = scored & ~np.isnan(candidates.flops)
    if counted.any():
        drawing = _against_flops(candidates.flops[counted], candidates.objective[counted], best, score_axis)
        shown.append(figure("Score against FLOPs", drawing))
    hidden = int(np.count_nonzero(values < score_axis.low))
    return section(shown, f"Scores below the charts: {hidden}." if hidden else "")


def section(figures: Sequence[str], note: str) -> str:
    """Charts in as many columns as the window has room for, and a sentence or two below."""
    below = f"<p>{escape(note)}</p>" if note else ""
    return f'<section class="charts">{"".join(figures)}</section>{below}'


def figure(caption: str, drawing: str) -> str:
    """A chart with its heading."""
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawing}</figure>"


def best_so_far(trials: npt.NDArray[np.int64], values: Floats, score_axis: Axis) -> str:
    """The values over time, at least one, and the highest so far; what lies under the axis begins at its floor."""
    drawing = chart(
        axis_of_trials(trials),
        score_axis,
        title=f"{score_axis.title} of each trial, and the best so far",
        dots=points_within(trials, values, score_axis),
        line=Line(steps(trials, np.maximum.accumulate(values).clip(min=score_axis.low)), "best so far"),
    )
    return figure("Best so far", drawing)


def axis_of_trials(trials: npt.NDArray[np.int64]) -> Axis:
    """An axis for the numbers of trials, at least one."""
    return Axis.over((trials[0], trials[-1]), "trial", lambda value: f"{value:.0f}", whole=True)


def axis_of_scores(values: Floats, title: str, direction: int = 1) -> Axis:
    """An axis for all scores but the far worse ones: a few collapsed networks must not flatten the rest.

    Args:
        values: at least one.
        title: of the axis.
        direction: 1 where higher is better, -1 where lower is.
    """
    ordered = np.sort(direction * values)
    low, high = float(ordered[len(ordered) // 10]), float(ordered[-1])
    floor = low - (high - low)
    worst = float(ordered[ordered >= floor][0])
    return Axis.over((direction * worst, direction * high), title, lambda value: f"{value:.6g}")


def points_within(x: npt.NDArray[Any], values: Floats, axis: Axis) -> list[Point]:
    """The points whose values are on an axis, thinned where there are too many."""
    visible = np.flatnonzero((values >= axis.low) & (values <= axis.high))
    visible = visible[:: max(1, -(-len(visible) // MAX_DOTS))]
    return list(zip(x[visible].tolist(), values[visible].tolist(), strict=True))


def steps(trials: npt.NDArray[np.int64], rising: Floats) -> list[Point]:
    """Where numbers that never fall rose, at least one, and the end."""
    rises = np.flatnonzero(np.diff(rising, prepend=-np.inf) > 0)
    places = [*rises[:: -(-len(rises) // MAX_STEPS)].tolist(), len(rising) - 1]
    return list(zip(trials[places].tolist(), rising[places].tolist(), strict=True))


def _against_flops(flops: Floats, values: Floats, best: Mapping[int, Candidate], score_axis: Axis) -> str:
    on_front = front(flops, values)
    visible = on_front[values[on_front] >= score_axis.low]
    return chart(
        Axis.over((flops.min(), flops.max()), "FLOPs"),
        score_axis,
        title=f"{score_axis.title} against FLOPs; {len(on_front)} candidates that no other beats in both, "
        "and the best five marked",
        dots=points_within(flops, values, score_axis),
        line=Line(list(zip(flops[visible].tolist(), values[visible].tolist(), strict=True)), "front"),
        marks=[
            Mark(one.flops, one.objective, f"rank {rank}, trial {one.trial}: {numbers.score(one.objective)}")
            for rank, one in reversed(list(best.items()))  # the first is drawn last, over the others
            if one.flops is not None and one.objective is not None
        ],
    )
