"""The charts of a report: the best score so far, and scores against costs with the front between them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from wrcor_ext.reporting import numbers
from wrcor_ext.reporting.candidate import Candidate, Candidates, Floats
from wrcor_ext.reporting.statistics import front
from wrcor_ext.reporting.svg import MAX_DOTS, Axis, Line, Mark, Point, chart


def charts(candidates: Candidates, best: Sequence[Candidate], objective: str) -> str:
    """Both charts, or nothing where no candidate has a score."""
    scored = ~np.isnan(candidates.objective)
    if not scored.any():
        return ""
    values = candidates.objective[scored]
    score_axis = _score_axis(values, objective)
    shown = [_figure("Best so far", _over_time(candidates.trial[scored], values, score_axis))]
    counted = scored & ~np.isnan(candidates.flops)
    if counted.any():
        drawing = _against_flops(candidates.flops[counted], candidates.objective[counted], best, score_axis)
        shown.append(_figure("Score against FLOPs", drawing))
    hidden = int(np.count_nonzero(values < score_axis.low))
    note = f"<p>Scores below the charts: {hidden}.</p>" if hidden else ""
    return f'<section class="charts">{"".join(shown)}</section>{note}'


def _figure(caption: str, drawing: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawing}</figure>"


def _over_time(trials: npt.NDArray[np.int64], values: Floats, score_axis: Axis) -> str:
    return chart(
        Axis.over((trials[0], trials[-1]), "trial", lambda value: f"{value:.0f}"),
        score_axis,
        title=f"{score_axis.title} of each trial, and the best so far",
        dots=_dots(trials, values, score_axis),
        line=Line(_best_so_far(trials, values, score_axis.low), "best so far"),
    )


def _against_flops(flops: Floats, values: Floats, best: Sequence[Candidate], score_axis: Axis) -> str:
    on_front = front(flops, values)
    visible = on_front[values[on_front] >= score_axis.low]
    return chart(
        Axis.over((flops.min(), flops.max()), "FLOPs"),
        score_axis,
        title=f"{score_axis.title} against FLOPs; {len(on_front)} candidates that no other beats in both, "
        "and the best five marked",
        dots=_dots(flops, values, score_axis),
        line=Line(list(zip(flops[visible].tolist(), values[visible].tolist(), strict=True)), "front"),
        marks=[
            Mark(one.flops, one.objective, f"rank {rank}, trial {one.trial}: {numbers.score(one.objective)}")
            for rank, one in reversed(list(enumerate(best, start=1)))  # the first is drawn last, over the others
            if one.flops is not None and one.objective is not None
        ],
    )


def _dots(x: npt.NDArray[Any], values: Floats, score_axis: Axis) -> list[Point]:
    """The points above the floor of a chart, thinned where there are too many."""
    visible = np.flatnonzero(values >= score_axis.low)
    visible = visible[:: max(1, -(-len(visible) // MAX_DOTS))]
    return list(zip(x[visible].tolist(), values[visible].tolist(), strict=True))


def _score_axis(values: Floats, objective: str) -> Axis:
    """An axis for all scores but the far low ones: a few collapsed networks must not flatten the rest."""
    ordered = np.sort(values)
    low, high = float(ordered[len(ordered) // 10]), float(ordered[-1])
    floor = low - (high - low)
    return Axis.over((float(ordered[ordered >= floor][0]), high), objective, lambda value: f"{value:.6g}")


def _best_so_far(trials: npt.NDArray[np.int64], values: Floats, floor: float) -> list[Point]:
    """Where the best score rose, and the end; what lies under the chart begins at its floor."""
    running = np.maximum.accumulate(values)
    rises = np.flatnonzero(np.diff(running, prepend=-np.inf) > 0)
    places = [*rises.tolist(), len(values) - 1]
    return [(float(trials[place]), max(float(running[place]), floor)) for place in places]
