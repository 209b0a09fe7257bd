"""The candidates of a run that no other dominates, where a search has several goals, and how much they dominate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from wrcor_ext.search import pareto
from wrcor_ext.search.config import recorded_value
from wrcor_ext.search.hypervolume import Hypervolume, growth, hypervolume
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.pareto import Floats, Indices
from wrcor_ext.search.trial import Trial

# Members that tables show: more than fit on a screen help nobody, and best.json holds them all.
MOST_SHOWN = 20


@dataclass(frozen=True)
class Front:
    """The front of a run.

    Attributes:
        objective: of the run.
        trials: numbers of the trials on the front [k], by the first goal, the best first. Of trials that are equal in
            every goal the first one stands for all.
        heights: their numbers by goal [k, goals], as `Objective.table` has them.
        reference: the point that the hypervolume is measured from [goals].
    """

    objective: Objective
    trials: Indices
    heights: Floats
    reference: Floats

    @classmethod
    def of(cls, objective: Objective, numbers: Indices, table: Floats) -> Front:
        """The front of the trials of a run.

        Args:
            objective: of the run.
            numbers: of the trials [n].
            table: their heights [n, goals], as `Objective.table` has them.
        """
        found = pareto.front(table)
        found = found[np.argsort(-table[found, 0], kind="stable")]
        return cls(objective, numbers[found], table[found], reference_of(objective, table))

    @property
    def volume(self) -> float:
        """The hypervolume of the front."""
        return hypervolume(self.heights, self.reference)

    @property
    def reference_point(self) -> dict[str, float]:
        """The reference in the units that scores and costs have, by the label of the goal."""
        goals = zip(self.objective.goals, self.reference.tolist(), strict=True)
        return {goal.label: goal.sign * height for goal, height in goals}


def reference_of(objective: Objective, table: Floats) -> Floats:
    """What hypervolumes are measured from [goals], as heights.

    The worst that was seen of each goal, among the candidates that have all of them, where the objective says nothing
    else; 0 without any. For runs that are compared it must be the same: that of all their candidates together.

    Args:
        objective: of the run.
        table: heights [n, goals], NaN where there is none.
    """
    complete = table[~np.isnan(table).any(axis=1)]
    seen = complete.min(axis=0) if len(complete) else np.zeros(table.shape[1])
    fixed = objective.fixed_heights
    return np.where(np.isnan(fixed), seen, fixed)


def volumes(table: Floats, reference: Floats) -> Floats:
    """The hypervolume after each trial [n]: it never falls; arguments as for `Front`."""
    return growth(table, reference)


class Standing:
    """The best of a search that goes on, trial by trial: one trial, or a front where there are several goals.

    A vote is held between those that lead so far and each newcomer, so the last ones need not be the final ones.

    Args:
        objective: of the search.
        leaders: the best of the trials before, if there are any: all of a front.
        reference: what the hypervolume was measured from before [goals], as heights; None without trials.

    Attributes:
        objective: of the search.
        leaders: so far, the first of equals; of several goals in the order of finding.
    """

    def __init__(
        self, objective: Objective, leaders: Iterable[Trial] = (), reference: Sequence[float] | None = None
    ) -> None:
        self.objective = objective
        self.leaders: list[Trial] = []
        self._heights = np.empty((0, len(objective.goals)))
        self._fixed = objective.fixed_heights
        seen = [np.inf] * len(objective.goals) if reference is None else reference
        self._reference = np.where(np.isnan(self._fixed), seen, self._fixed)
        self._volume: Hypervolume | None = None
        for trial in leaders:
            self.add(trial)

    @property
    def best(self) -> Trial | None:
        """The best trial; of a front, that which is best in the first goal."""
        return self.leaders[int(self._heights[:, 0].argmax())] if self.leaders else None

    @property
    def reference(self) -> tuple[float, ...] | None:
        """What the hypervolume is measured from, as heights; None without any trial that has all of them."""
        return tuple(self._reference.tolist()) if np.isfinite(self._reference).all() else None

    @property
    def height(self) -> float | None:
        """The number of the best trial, higher is better; None without one, and for a vote, which has no number."""
        return float(self._heights[:, 0].max()) if self.leaders and self.objective.goals[0].method is None else None

    @property
    def volume(self) -> float | None:
        """The hypervolume so far; None without a front, and where there are votes."""
        if not self.leaders or not self.objective.is_front or self.objective.has_votes:
            return None
        if self._volume is None:
            self._volume = Hypervolume(self._reference)
            for point in self._heights:
                self._volume.add(point)
        return self._volume.volume

    def add(self, trial: Trial) -> None:
        """Takes a finished trial into account."""
        values = self.objective.values(trial)
        if values is None:
            return
        compared = [*self.leaders, trial]
        if self.objective.has_votes:
            heights = self.objective.heights([self.objective.values(one) for one in compared])
        else:
            heights = np.concatenate([self._heights, np.array([values])])
            self._see(heights[-1])
            if pareto.covered(heights[-1:], self._heights)[0]:
                return
        found = pareto.front(heights)
        self.leaders, self._heights = [compared[place] for place in found], heights[found]

    def _see(self, point: Floats) -> None:
        lower = np.where(np.isnan(self._fixed), np.minimum(self._reference, point), self._fixed)
        if (lower < self._reference).any():
            self._reference, self._volume = lower, None
        elif self._volume is not None:
            self._volume.add(point)


def leading(journal: Journal, objective: Objective, count: int) -> tuple[list[int], Front | None]:
    """The numbers of a run's best trials, best first, and its front.

    Args:
        journal: of the run; all of it is read.
        objective: of the run.
        count: at most so many of one objective; of several, all of the front.

    Returns:
        The numbers; the front, None where there is one objective.
    """
    if not objective.is_front:
        dedup = bool(recorded_value(journal.record()["config"], "dedup"))
        return objective.leaders(journal.own_scores(dedup=dedup), count), None
    front = Front.of(objective, *objective.table(journal.trials()))
    return front.trials.tolist(), front


def shown_ranks(count: int, most: int = MOST_SHOWN) -> list[int]:
    """The ranks, from 1, of those of `count` that tables show: evenly spread in their order, both ends among them.

    Args:
        count: how many there are.
        most: how many are shown; of more than one, the first and the last.
    """
    if count <= most:
        return list(range(1, count + 1))
    return [1 + round(place * (count - 1) / max(1, most - 1)) for place in range(most)]
