"""The charts of a report: the best score so far, and scores against costs with the front between them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from wrcor_ext.reporting import numbers
from wrcor_ext.reporting.candidate import Candidate
from wrcor_ext.reporting.statistics import front
from wrcor_ext.reporting.svg import Axis, Line, Mark, Point, chart

Scored = Sequence[tuple[Candidate, float]]


def charts(candidates: Sequence[Candidate], best: Sequence[Candidate], objective: str) -> str:
    """Both charts, or nothing where no candidate has a score."""
    scored = [(candidate, candidate.objective) for candidate in candidates if candidate.objective is not None]
    if not scored:
        return ""
    score_axis = _score_axis([value for _, value in scored], objective)
    shown = [_figure("Best so far", _over_time(scored, score_axis))]
    counted = [(candidate.flops, value, candidate) for candidate, value in scored if candidate.flops is not None]
    if counted:
        shown.append(_figure("Score against FLOPs", _against_flops(counted, best, score_axis)))
    hidden = sum(value < score_axis.low for _, value in scored)
    note = f"<p>Scores below the charts: {hidden}.</p>" if hidden else ""
    return f'<section class="charts">{"".join(shown)}</section>{note}'


def _figure(caption: str, drawing: str) -> str:
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawing}</figure>"


def _over_time(scored: Scored, score_axis: Axis) -> str:
    return chart(
        Axis.over([candidate.trial for candidate, _ in scored], "trial", lambda value: f"{value:.0f}"),
        score_axis,
        title=f"{score_axis.title} of each trial, and the best so far",
        dots=[(candidate.trial, value) for candidate, value in scored],
        line=Line(_best_so_far(scored, score_axis.low), "best so far"),
    )


def _against_flops(counted: Sequence[tuple[int, float, Candidate]], best: Sequence[Candidate], score_axis: Axis) -> str:
    points = [(float(flops), value) for flops, value, _ in counted]
    on_front = [counted[index] for index in front(points)]
    visible = [(float(flops), value) for flops, value, _ in on_front if value >= score_axis.low]
    ranks = {candidate.trial: rank for rank, candidate in enumerate(best, start=1)}
    return chart(
        Axis.over([flops for flops, _ in points], "FLOPs"),
        score_axis,
        title=f"{score_axis.title} against FLOPs; {len(on_front)} candidates that no other beats in both, "
        "and the best five marked",
        dots=points,
        line=Line(visible, "front"),
        marks=[
            Mark(flops, value, f"rank {ranks[candidate.trial]}, trial {candidate.trial}: {numbers.score(value)}")
            for flops, value, candidate in counted
            if candidate.trial in ranks
        ],
    )


def _score_axis(values: Sequence[float], objective: str) -> Axis:
    """An axis for all scores but the far low ones: a few collapsed networks must not flatten the rest."""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 10], ordered[-1]
    floor = low - (high - low)
    return Axis.over([value for value in ordered if value >= floor], objective, lambda value: f"{value:.6g}")


def _best_so_far(scored: Scored, floor: float) -> list[Point]:
    """Where the best score rose, and the end; what lies under the chart begins at its floor."""
    points: list[Point] = []
    best = float("-inf")
    for candidate, value in scored:
        if value > best:
            best = value
            points.append((candidate.trial, max(value, floor)))
    points.append((scored[-1][0].trial, max(best, floor)))
    return points
