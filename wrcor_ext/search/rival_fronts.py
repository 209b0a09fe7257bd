"""Fronts of several runs for the same objectives, measured from one reference point and against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from wrcor_ext.search import pareto
from wrcor_ext.search.front import Front
from wrcor_ext.search.hypervolume import hypervolume
from wrcor_ext.search.pareto import Floats
from wrcor_ext.search.runs import Run


@dataclass(frozen=True)
class Rival:
    """The front of a run among those of others.

    Attributes:
        size: number of its members.
        volume: its hypervolume above the reference point of all; None where a vote decides: its shares are of the run's
            own architectures.
        unbeaten: how many members no member of another front dominates; likewise.
        shared: how many members are on another front as well, or an isomorphic architecture.
    """

    size: int
    volume: float | None
    unbeaten: int | None
    shared: int


@dataclass(frozen=True)
class Contest:
    """Fronts for the same objectives.

    Attributes:
        objectives: their names, with a minus where less is better.
        reference: of all fronts, in the units that scores and costs have, by the label of the objective.
        rivals: by run folder.
    """

    objectives: tuple[str, ...]
    reference: dict[str, float]
    rivals: dict[str, Rival]


def contests(runs: Iterable[Run]) -> list[Contest]:
    """The fronts of those runs that have one, by their objectives, in the order of the runs."""
    by_goals: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        if run.front is not None:
            by_goals.setdefault(tuple(goal.name for goal in run.config.objective.goals), []).append(run)
    return [_contest(objectives, entered) for objectives, entered in by_goals.items()]


def _contest(objectives: tuple[str, ...], entered: Sequence[Run]) -> Contest:
    fronts = {str(run.folder): run.front for run in entered if run.front is not None}
    keys = {
        str(run.folder): {run.journal.trial(number).key for number in fronts[str(run.folder)].trials.tolist()}
        for run in entered
    }
    reference = _common_reference(list(fronts.values()))
    everyone = np.concatenate([front.heights for front in fronts.values()])
    best = set(map(tuple, everyone[pareto.front(everyone)].tolist()))
    holders = Counter(key for found in keys.values() for key in found)
    rivals = {}
    for folder, front in fronts.items():
        votes = front.objective.has_votes
        rivals[folder] = Rival(
            len(front.trials),
            None if votes else hypervolume(front.heights, reference),
            None if votes else sum(tuple(point) in best for point in front.heights.tolist()),
            sum(holders[key] > 1 for key in keys[folder]),
        )
    goals = entered[0].config.objective.goals
    point = {goal.label: goal.sign * height for goal, height in zip(goals, reference.tolist(), strict=True)}
    return Contest(objectives, point, rivals)


def _common_reference(fronts: Sequence[Front]) -> Floats:
    """By objective the worst of the fronts' own reference points; those without members have none to give."""
    points = [front.reference for front in fronts if len(front.trials)] or [fronts[0].reference]
    lowest: Floats = np.min(points, axis=0)
    return lowest
