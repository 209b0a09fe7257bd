"""The charts of a report of several objectives: how the front grew, and the objectives against each other in pairs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from wrcor_ext.reporting import figures
from wrcor_ext.reporting.candidate import Candidate, Candidates, Floats
from wrcor_ext.reporting.costs import COSTS
from wrcor_ext.reporting.svg import Axis, Line, Mark, Point, chart
from wrcor_ext.reporting.tradeoff import Quantity, Tradeoff


def charts(candidates: Candidates, best: Mapping[int, Candidate], objective: str, tradeoff: Tradeoff) -> str:
    """Pairs of objectives, the hypervolume and the first objective over time; nothing without a front.

    Args:
        candidates: all trials.
        best: those of the front that are marked, by rank.
        objective: name of what `candidates.objective` holds: the first objective, higher is better.
        tradeoff: what was found.
    """
    if not len(tradeoff.members):
        return ""
    axes = {one.name: _axis(one) for one in tradeoff.quantities}
    shown = [_pair(one, other, axes, best, tradeoff) for one, other in combinations(tradeoff.quantities, 2)]
    shown.append(_growth(candidates, tradeoff))
    scored = ~np.isnan(candidates.objective)
    values = candidates.objective[scored]
    shown.append(figures.best_so_far(candidates.trial[scored], values, figures.axis_of_scores(values, objective)))
    reference = ", ".join(one.text(tradeoff.reference[one.name]) for one in tradeoff.quantities)
    note = f"Hypervolumes are measured from the point {reference}."
    places = tradeoff.members.tolist()
    hidden = sum(not all(axes[one.name].holds(one.values[place]) for one in tradeoff.quantities) for place in places)
    return figures.section(shown, f"{note} Of the front beyond the charts: {hidden}." if hidden else note)


def _growth(candidates: Candidates, tradeoff: Tradeoff) -> str:
    drawing = chart(
        figures.axis_of_trials(candidates.trial),
        Axis.over((0.0, tradeoff.volume), "hypervolume"),
        title="the hypervolume of the front after each trial",
        line=Line(figures.steps(candidates.trial, tradeoff.volumes), "hypervolume"),
    )
    return figures.figure("Hypervolume", drawing)


def _pair(
    one: Quantity, other: Quantity, axes: Mapping[str, Axis], best: Mapping[int, Candidate], tradeoff: Tradeoff
) -> str:
    """Two of the objectives: a cost along the bottom, if one of them is."""
    y, x = (other, one) if one.is_cost and not other.is_cost else (one, other)
    known = np.flatnonzero(~(np.isnan(x.values) | np.isnan(y.values)))
    x_axis, y_axis = axes[x.name], axes[y.name]
    from_best = tradeoff.members[np.argsort(-x.direction * x.values[tradeoff.members], kind="stable")]
    members = _visible(x.values[from_best], y.values[from_best], x_axis, y_axis)
    names = f"{y.title} against {x.title}"
    # In a plane of two out of three objectives, those that no other beats in all three are no staircase.
    is_whole = len(tradeoff.quantities) == 2
    drawing = chart(
        x_axis,
        y_axis,
        title=f"{names}; {len(from_best)} candidates that no other beats in every objective",
        dots=figures.points_within(x.values[known], y.values[known], y_axis),
        strong=members,
        line=Line(members, "front") if is_whole else None,
        marks=[
            Mark(
                x.values[tradeoff.place(rank)].item(),
                y.values[tradeoff.place(rank)].item(),
                f"rank {rank}, trial {candidate.trial}: {tradeoff.described(rank)}",
            )
            for rank, candidate in best.items()
        ],
    )
    return figures.figure(names, drawing)


def _axis(quantity: Quantity) -> Axis:
    values = quantity.values[~np.isnan(quantity.values)]
    title = COSTS[quantity.name].axis if quantity.is_cost else quantity.name
    title += ", more is better" if quantity.direction > 0 else ", less is better"
    if quantity.is_cost:
        return Axis.over((float(values.min()), float(values.max())), title)
    return figures.axis_of_scores(values, title, quantity.direction)


def _visible(x: Floats, y: Floats, x_axis: Axis, y_axis: Axis) -> list[Point]:
    return [(a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True) if x_axis.holds(a) and y_axis.holds(b)]
