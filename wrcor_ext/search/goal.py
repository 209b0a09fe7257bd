"""One thing that a search maximises: a proxy, a vote of several, or what a candidate costs, each with a direction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wrcor_ext import votes
from wrcor_ext.errors import InputError
from wrcor_ext.search.pareto import Floats
from wrcor_ext.search.trial import COSTS
from wrcor_ext.strategies import Values
from wrcor_ext.votes import METHODS, NAMED, Member, Vote

# The duels of a majority take memory and time that grow with the square of the number of candidates.
MOST_IN_A_MAJORITY = 2000


@dataclass(frozen=True)
class Goal:
    """One objective of a search.

    Attributes:
        label: what is compared, without a direction: `wrcor`, `flops`, `vote:rank(snip,-jacob_cor)`.
        members: the proxies whose scores count, each with its direction; none for a cost.
        method: of counting the members' votes; None where there is no vote.
        direction: of a cost: 1 where more of it is better, -1 where less is.
    """

    label: str
    members: tuple[Member, ...] = ()
    method: str | None = None
    direction: int = 1

    @classmethod
    def named(cls, name: str) -> Goal:
        """A proxy in its own direction, or a vote.

        Raises:
            InputError: for an unknown or malformed name.
        """
        found = votes.lookup(name)
        if isinstance(found, Vote):
            return cls(found.name, found.members, found.method)
        return cls(found.name, (Member(found),))

    @classmethod
    def directed(cls, name: str, direction: int) -> Goal:
        """A cost, a proxy or a vote that is to be maximised (1) or minimised (-1), whatever its own direction.

        Raises:
            InputError: for an unknown or malformed name, or a vote that is to be minimised.
        """
        if name in COSTS:
            return cls(name, direction=direction)
        goal = cls.named(name)
        if goal.method is not None:
            if direction < 0:
                raise InputError(f"{name!r} cannot be minimised: a vote looks for a best, turn its members round")
            return goal
        (member,) = goal.members
        return goal if member.orientation == direction else cls(goal.label, (Member(member.proxy, -1),))

    @property
    def is_cost(self) -> bool:
        """Whether it is known without a score."""
        return not self.members

    @property
    def sign(self) -> int:
        """-1 where lower is better: what `heights` are multiplied with to get the numbers that people know."""
        if self.is_cost:
            return self.direction
        return 1 if self.method is not None else self.members[0].orientation

    @property
    def is_turned(self) -> bool:
        """Whether a proxy is asked for in the direction that its authors take for the worse."""
        return self.method is None and any(member.sign < 0 for member in self.members)

    @property
    def name(self) -> str:
        """The label, with a minus where lower is better."""
        return f"-{self.label}" if self.sign < 0 else self.label

    @property
    def number_name(self) -> str:
        """What the numbers of `heights` are."""
        return self.name if self.method is None else f"share ranked lower by {self.name}"

    @property
    def width(self) -> int:
        """How many values a candidate has."""
        return max(1, len(self.members))

    @property
    def proxies(self) -> tuple[str, ...]:
        """The canonical names of the members' proxies."""
        return tuple(member.proxy.name for member in self.members)

    @property
    def weights(self) -> tuple[float, ...]:
        """How much each member of a vote counts."""
        return tuple(member.weight for member in self.members)

    def values(self, scores: Mapping[str, float | None], costs: Mapping[str, float | None]) -> Values:
        """A candidate's values, turned round where lower is better; None where there is none."""
        if self.is_cost:
            found = [(self.direction, costs.get(self.label))]
        else:
            found = [(member.orientation, scores.get(member.proxy.name)) for member in self.members]
        return tuple(None if value is None else sign * value for sign, value in found)

    def groups(self, table: Floats) -> Sequence[Sequence[int]]:
        """Rows of a table [n, width] of values from the best to the worst, equals together.

        Args:
            table: NaN where a member has no value; every row has one.
        """
        if not len(table):
            return []
        if self.method is None:
            groups: dict[float, list[int]] = {}
            for place, value in enumerate(table[:, 0].tolist()):
                groups.setdefault(value, []).append(place)
            return [groups[value] for value in sorted(groups, reverse=True)]
        if self.method != "majority" or len(table) <= MOST_IN_A_MAJORITY:
            return METHODS[self.method](table, self.weights).groups
        by_rank = METHODS["rank"](table, self.weights).groups
        in_order = [place for group in by_rank for place in group]
        finalists = sorted(in_order[:MOST_IN_A_MAJORITY])
        majority = METHODS["majority"](table[finalists], self.weights).groups
        leading = [[finalists[place] for place in group] for group in majority]
        taken = set(finalists)
        others = [[place for place in group if place not in taken] for group in by_rank]
        return [*leading, *(group for group in others if group)]

    def heights(self, table: Floats) -> Floats:
        """One number per row of a table of values, higher is better, NaN where there is none [n].

        That of a score or a cost is the value itself. That of a vote, which has no number of its own, is the share of
        the other rows that it ranks lower, from 0 to 1.
        """
        if self.method is None:
            return table[:, 0]
        found = np.full(len(table), math.nan)
        known = np.flatnonzero(~np.isnan(table).all(axis=1))
        groups, lower = self.groups(table[known]), len(known)
        others = max(1, lower - 1)
        for group in groups:
            lower -= len(group)
            found[known[list(group)]] = lower / others
        return found


def checked_name(name: str) -> str:
    """The canonical name of what may be an objective: a cost, a proxy or a vote; a cost wins over its namesakes.

    Raises:
        InputError: for an unknown or malformed name.
    """
    if name in COSTS:
        return name
    try:
        return votes.lookup(name).name
    except InputError as error:
        raise InputError(f"{error}, and the costs {', '.join(COSTS)}") from error


# What may be an objective, in words.
SYNTAX = f"costs ({', '.join(COSTS)}), proxies or votes ({', '.join(NAMED)}, {votes.expression.SYNTAX})"
