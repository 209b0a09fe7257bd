"""What a search maximises: one proxy, in the direction that it has, or a vote of several."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wrcor_ext import votes
from wrcor_ext.search.trial import Trial
from wrcor_ext.strategies import Highest, Values
from wrcor_ext.votes import METHODS, Member, Vote

# The duels of a majority take memory and time that grow with the square of the number of candidates.
MOST_IN_A_MAJORITY = 2000


@dataclass(frozen=True)
class Objective:
    """A preference (see `wrcor_ext.strategies.Preference`) among trials by the scores of its members.

    A vote is held anew over whoever is compared: two trials, a tournament, or all trials of a run.

    Attributes:
        name: `wrcor`; `-zen_score_cossim` where lower is better; `sjw`; `vote:rank(snip,-jacob_cor)`.
        members: the proxies whose scores count, each with its direction.
        method: of counting the members' votes; None where there is but one proxy and no vote.
    """

    name: str
    members: tuple[Member, ...]
    method: str | None = None

    @classmethod
    def named(cls, name: str) -> Objective:
        """The objective of a search whose first proxy or vote has that name.

        Raises:
            InputError: for an unknown or malformed name.
        """
        found = votes.lookup(name)
        if isinstance(found, Vote):
            return cls(found.name, found.members, found.method)
        return cls(found.name if found.higher_is_better else f"-{found.name}", (Member(found),))

    @property
    def width(self) -> int:
        """How many values a candidate has."""
        return len(self.members)

    @property
    def proxies(self) -> tuple[str, ...]:
        """The canonical names of the members' proxies."""
        return tuple(member.proxy.name for member in self.members)

    def values(self, scores: Mapping[str, float | None]) -> Values | None:
        """The members' scores, turned round where lower is better; None if no member has one."""
        found = [(member.orientation, scores.get(member.proxy.name)) for member in self.members]
        values = tuple(None if score is None else orientation * score for orientation, score in found)
        return None if all(value is None for value in values) else values

    def best(self, candidates: Sequence[Values | None]) -> int:
        """Index of the best of at least one candidate; of equals the first."""
        return next((group[0] for group in self.groups(candidates)), 0)

    def order(self, candidates: Sequence[Values | None]) -> list[int]:
        """Indices from the best to the worst; of equals the first given, those without values at the end."""
        ranked = [index for group in self.groups(candidates) for index in group]
        return ranked + [index for index, values in enumerate(candidates) if values is None]

    def groups(self, candidates: Sequence[Values | None]) -> list[list[int]]:
        """Indices from the best to the worst, equals together; those without values are left out."""
        known = [index for index, values in enumerate(candidates) if values is not None]
        if not known:
            return []
        given = [candidates[index] or () for index in known]
        table = np.array([[math.nan if value is None else value for value in values] for values in given])
        return [[known[place] for place in group] for group in self._counted(table)]

    def _counted(self, table: npt.NDArray[np.float64]) -> Sequence[Sequence[int]]:
        """The groups of a table [n, m] of values, NaN where a member has none."""
        if self.method is None:
            groups: dict[float, list[int]] = {}
            for place, value in enumerate(table[:, 0].tolist()):
                groups.setdefault(value, []).append(place)
            return [groups[value] for value in sorted(groups, reverse=True)]
        if self.method != "majority" or len(table) <= MOST_IN_A_MAJORITY:
            return METHODS[self.method](table).groups
        by_rank = METHODS["rank"](table).groups
        in_order = [place for group in by_rank for place in group]
        finalists = sorted(in_order[:MOST_IN_A_MAJORITY])
        leading = [[finalists[place] for place in group] for group in METHODS["majority"](table[finalists]).groups]
        taken = set(finalists)
        others = [[place for place in group if place not in taken] for group in by_rank]
        return [*leading, *(group for group in others if group)]

    def leaders(self, scores: Iterable[tuple[int, Mapping[str, float | None]]], count: int) -> list[int]:
        """The numbers of the best trials that have a score, best first; of equals, the earlier ones.

        Args:
            scores: number and scores by proxy name of each trial, one for each architecture.
            count: at most so many.
        """
        valued = ((values, number) for number, found in scores if (values := self.values(found)) is not None)
        if self.method is None:  # of a million trials, few need to be kept
            return [number for _, number in heapq.nlargest(count, valued, key=lambda pair: pair[0][0] or 0.0)]
        distinct = list(valued)
        groups = self.groups([values for values, _ in distinct])
        return [distinct[index][1] for group in groups for index in group][:count]

    def heights(self, candidates: Sequence[Values | None]) -> npt.NDArray[np.float64]:
        """The scores of a proxy; of a vote, places among the candidates, from 0 for the worst [n, 1]."""
        if self.method is None:
            return Highest().heights(candidates)
        found = np.full((len(candidates), 1), np.nan)
        for place, group in enumerate(reversed(self.groups(candidates))):
            found[group, 0] = place
        return found

    def chart_heights(self, trials: Iterable[Trial]) -> list[float | None]:
        """For charts, one number per trial, higher is better; None without a score.

        That of a proxy is its score, turned round where lower is better. That of a vote, which has no number of its
        own, is the share of the other architectures that it ranks lower, from 0 to 1.

        Args:
            trials: all of a run, or its first ones.
        """
        if self.method is None:
            valued = (self.values(trial.evaluation.scores) for trial in trials)
            return [None if values is None else values[0] for values in valued]
        sources, distinct, given = [], [], []
        for trial in trials:
            sources.append(trial.trial if trial.duplicate_of is None else trial.duplicate_of)
            if trial.duplicate_of is None:
                distinct.append(trial.trial)
                given.append(self.values(trial.evaluation.scores))
        groups = self.groups(given)
        lower = sum(map(len, groups))
        others = max(1, lower - 1)
        heights: dict[int, float] = {}
        for group in groups:
            lower -= len(group)
            heights.update((distinct[index], lower / others) for index in group)
        return [heights.get(source) for source in sources]

    @property
    def height_name(self) -> str:
        """What `chart_heights` are."""
        return self.name if self.method is None else f"share ranked lower by {self.name}"
