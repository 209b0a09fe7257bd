"""What a search maximises: one goal, or several at once, of which no one counts more than another."""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wrcor_ext.search import pareto
from wrcor_ext.search.goal import Goal
from wrcor_ext.search.pareto import Floats, Indices
from wrcor_ext.search.trial import Trial
from wrcor_ext.strategies import Values

_NO_COSTS: Mapping[str, float | None] = {}


@dataclass(frozen=True)
class Objective:
    """A preference (see `wrcor_ext.strategies.Preference`) among trials by the values of its goals.

    Of one goal, the higher one is better. Of several, candidates on an earlier front are better, and on the same front
    those whose neighbours are further apart. A vote is held anew over whoever is compared: two trials, a tournament,
    or all trials of a run. A candidate that lacks one of the goals has no values.

    Attributes:
        goals: what is maximised, at least one.
        fixed: coordinates of the point that hypervolumes are measured from, by the label of their goal, in the units of
            scores and costs. The others are the worst that a run has seen.
    """

    goals: tuple[Goal, ...]
    fixed: tuple[tuple[str, float], ...] = ()

    @classmethod
    def named(cls, name: str) -> Objective:
        """The objective of a search whose first proxy or vote has that name.

        Raises:
            InputError: for an unknown or malformed name.
        """
        return cls((Goal.named(name),))

    @classmethod
    def of(cls, maximize: Sequence[str], minimize: Sequence[str], fixed: Sequence[tuple[str, float]] = ()) -> Objective:
        """Goals by their names: costs, proxies and votes; `fixed` as in the attribute.

        Raises:
            InputError: for an unknown or malformed name, or a vote that is to be minimised.
        """
        raised = [Goal.directed(name, 1) for name in maximize]
        return cls((*raised, *(Goal.directed(name, -1) for name in minimize)), tuple(fixed))

    @property
    def name(self) -> str:
        """`wrcor`; `-zen_score_cossim` where lower is better; `wrcor, -flops`; `vote:rank(snip,-jacob_cor)`."""
        return ", ".join(goal.name for goal in self.goals)

    @property
    def is_front(self) -> bool:
        """Whether the best are a front rather than a list: there are several goals."""
        return len(self.goals) > 1

    @property
    def has_votes(self) -> bool:
        """Whether who is better may depend on who else is compared."""
        return any(goal.method is not None for goal in self.goals)

    @property
    def fixed_heights(self) -> Floats:
        """The fixed coordinates as heights [goals], NaN where there is none."""
        known = dict(self.fixed)
        return np.array([goal.sign * known.get(goal.label, math.nan) for goal in self.goals])

    @property
    def width(self) -> int:
        """How many values a candidate has."""
        return sum(goal.width for goal in self.goals)

    @property
    def proxies(self) -> tuple[str, ...]:
        """The canonical names of the proxies that count, each once."""
        return tuple(dict.fromkeys(name for goal in self.goals for name in goal.proxies))

    @property
    def ranking(self) -> tuple[tuple[str, ...], ...]:
        """The canonical names of the proxies of each goal that is scored."""
        return tuple(goal.proxies for goal in self.goals if not goal.is_cost)

    def values(self, trial: Trial) -> Values | None:
        """The numbers of a trial by which candidates are compared; None unless every goal has one."""
        return self.values_of(trial.evaluation.scores, trial.costs)

    def values_of(
        self, scores: Mapping[str, float | None], costs: Mapping[str, float | None] = _NO_COSTS
    ) -> Values | None:
        """The same from scores by proxy name and costs by their name, turned round where lower is better."""
        found = [goal.values(scores, costs) for goal in self.goals]
        if any(value.count(None) == len(value) for value in found):
            return None
        return tuple(number for value in found for number in value)

    def best(self, candidates: Sequence[Values | None]) -> int:
        """Index of the best of at least one candidate; of equals the first."""
        if not self.is_front:
            return next((group[0] for group in self._groups(candidates)), 0)
        heights = self.heights(candidates)
        front = pareto.front(heights)
        return int(front[pareto.crowding(heights[front]).argmax()]) if len(front) else 0

    def order(self, candidates: Sequence[Values | None]) -> list[int]:
        """Indices from the best to the worst; of equals the first given, those without values at the end."""
        if not self.is_front:
            ranked = [index for group in self._groups(candidates) for index in group]
            return ranked + [index for index, values in enumerate(candidates) if values is None]
        heights = self.heights(candidates)
        lacking = np.isnan(heights).any(axis=1)
        known = np.flatnonzero(~lacking)
        ranks, apart = pareto.ranks(heights[known]), np.zeros(len(known))
        for rank in range(ranks.max(initial=-1) + 1):
            on_it = ranks == rank
            apart[on_it] = pareto.crowding(heights[known[on_it]])
        by_rank = known[np.lexsort((-apart, ranks))]
        order: list[int] = np.concatenate([by_rank, np.flatnonzero(lacking)]).tolist()
        return order

    def heights(self, candidates: Sequence[Values | None]) -> Floats:
        """One column per goal [n, goals], higher is better, NaN where a candidate has no values.

        The number of a score or a cost is the value itself; that of a vote is the share of the other candidates that
        it ranks lower, from 0 to 1.
        """
        nothing = (math.nan,) * self.width
        rows = [nothing if values is None else values for values in candidates]
        return self._columns(np.array(rows, dtype=np.float64).reshape(len(rows), self.width))

    def leaders(self, scores: Iterable[tuple[int, Mapping[str, float | None]]], count: int) -> list[int]:
        """Of one goal, the numbers of the best trials that have a score, best first; of equals, the earlier ones.

        Args:
            scores: number and scores by proxy name of each trial, one for each architecture.
            count: at most so many.
        """
        valued = ((values, number) for number, found in scores if (values := self.values_of(found)) is not None)
        if not self.has_votes:  # of a million trials, few need to be kept
            return [number for _, number in heapq.nlargest(count, valued, key=lambda pair: pair[0][0] or 0.0)]
        distinct = list(valued)
        groups = self._groups([values for values, _ in distinct])
        return [distinct[index][1] for group in groups for index in group][:count]

    def table(self, trials: Iterable[Trial]) -> tuple[Indices, Floats]:
        """What charts and fronts of a run are made of: the numbers of its trials [n] and their `heights` [n, goals].

        In a vote, duplicates have no say of their own but the number of the trial that they repeat, and so has an
        architecture that was scored again. A trial without one goal has the numbers of the others.

        Args:
            trials: all of a run in the order of their numbers, or its first ones.
        """
        numbers, sources, flat = array("q"), array("q"), array("d")
        firsts_of: dict[str, int] = {}
        for trial in trials:
            numbers.append(trial.trial)
            source = trial.trial if trial.duplicate_of is None else trial.duplicate_of
            sources.append(firsts_of.setdefault(trial.architecture, source) if self.has_votes else source)
            scores, costs = trial.evaluation.scores, trial.costs
            for goal in self.goals:
                flat.extend(math.nan if v is None else v for v in goal.values(scores, costs))
        found = np.array(numbers, dtype=np.int64)
        values = np.array(flat, dtype=np.float64).reshape(len(found), self.width)
        if not self.has_votes:
            return found, self._columns(values)
        firsts = np.array(sources, dtype=np.int64)
        own = found == firsts
        # A journal that was damaged may lack the trial that another one repeats.
        voted = np.isin(firsts, found[own])
        columns = np.full((len(found), len(self.goals)), math.nan)
        for place, (goal, part) in enumerate(self._parts(values)):
            if goal.method is None:
                columns[:, place] = part[:, 0]
            else:
                columns[voted, place] = goal.heights(part[own])[np.searchsorted(found[own], firsts[voted])]
        return found, columns

    def chart_heights(self, trials: Iterable[Trial]) -> list[float | None]:
        """The numbers of the first goal, None without one; argument as for `table`."""
        return [None if math.isnan(height) else height for height in self.table(trials)[1][:, 0].tolist()]

    @property
    def height_name(self) -> str:
        """What `chart_heights` are."""
        return self.goals[0].number_name

    def _groups(self, candidates: Sequence[Values | None]) -> list[list[int]]:
        """Of one goal: indices from the best to the worst, equals together; those without values are left out."""
        known = [index for index, values in enumerate(candidates) if values is not None]
        table = np.array([candidates[index] for index in known], dtype=np.float64).reshape(len(known), self.width)
        return [[known[place] for place in group] for group in self.goals[0].groups(table)]

    def _parts(self, values: Floats) -> Iterator[tuple[Goal, Floats]]:
        """Each goal with its own columns of all values [n, width]."""
        ends = np.cumsum([goal.width for goal in self.goals])
        return zip(self.goals, np.split(values, ends[:-1], axis=1), strict=True)

    def _columns(self, values: Floats) -> Floats:
        """The goals' heights [n, goals] from all values [n, width]."""
        return np.column_stack([goal.heights(part) for goal, part in self._parts(values)])
