"""`vote`: from the scores of several candidates to their ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np

from wrcor_ext.errors import InputError
from wrcor_ext.results import ProxyResult
from wrcor_ext.votes.expression import Member, Vote, parse
from wrcor_ext.votes.methods import METHODS

Value = ProxyResult | float | None


@dataclass(frozen=True)
class Outcome:
    """The result of a vote, candidate by candidate in the order given.

    Attributes:
        ranks: from 1 for the best; equals share a rank, and those after them are counted on. None for a candidate that
            no member has a value for.
        values: what the method counts, higher is better; None likewise. It depends on all candidates of the vote.
        cycles: of a majority, the candidates (by index) that beat each other in a circle and were ranked by Copeland
            score.
    """

    ranks: tuple[int | None, ...]
    values: tuple[float | None, ...]
    cycles: tuple[tuple[int, ...], ...] = ()

    @property
    def order(self) -> tuple[int, ...]:
        """Indices from the best candidate to the worst; of equals the first given, those without a rank at the end."""
        last = len(self.ranks) + 1
        return tuple(sorted(range(len(self.ranks)), key=lambda i: self.ranks[i] or last))


def vote(what: str | Vote, candidates: Sequence[Mapping[str, Value]]) -> Outcome:
    """Ranks candidates by a vote of several proxies.

    A member's value counts in the direction of its proxy (`higher_is_better`), a minus before its name turns that
    round. A candidate without a finite value (`None`, NaN, infinite, a result that is not `ok`) comes last for that
    member.

    Args:
        what: `"sjw"`, `"spw"`, or an expression such as `"vote:rank(snip, -jacob_cor)"`; see `wrcor_ext.votes.METHODS`.
        candidates: of each candidate the members' values by name or alias, such as `score_many` returns.

    Returns:
        The ranks. They do not depend on the order of the candidates.

    Raises:
        InputError: for an unknown or malformed vote, fewer than two candidates, or one that lacks a member.
    """
    asked = parse(what) if isinstance(what, str) else what
    if len(candidates) < 2:
        found = "one candidate" if candidates else "no candidate"
        raise InputError(f"vote {asked.name!r} over {found}: a vote compares at least two")
    values = np.array([[_value(m, c, i) for m in asked.members] for i, c in enumerate(candidates)])
    known = np.nonzero(~np.isnan(values).all(axis=1))[0]
    if not len(known):
        return Outcome((None,) * len(candidates), (None,) * len(candidates))
    count = METHODS[asked.method](values[known], asked.weights)
    ranks: list[int | None] = [None] * len(candidates)
    counted: list[float | None] = [None] * len(candidates)
    rank = 1
    for group in count.groups:
        for place in group:
            ranks[known[place]], counted[known[place]] = rank, float(count.values[place])
        rank += len(group)
    return Outcome(
        tuple(ranks), tuple(counted), tuple(tuple(int(known[place]) for place in cycle) for cycle in count.cycles)
    )


def _value(member: Member, candidate: Mapping[str, Value], number: int) -> float:
    """The member's value for a candidate, higher is better; NaN where there is none."""
    proxy = member.proxy
    name = next((name for name in (proxy.name, *proxy.aliases) if name in candidate), None)
    if name is None:
        raise InputError(f"candidate {number} has no value of {proxy.name}: known are {', '.join(candidate) or 'none'}")
    value = candidate[name]
    if isinstance(value, ProxyResult):
        value = value.value
    if value is None:
        return math.nan
    if not isinstance(value, Real):
        raise InputError(f"candidate {number}: {proxy.name} is {value!r}, not a number")
    return member.orientation * float(value) if math.isfinite(value) else math.nan
