"""The ways to count a vote: pure functions over a table of values.

A table is [n, m] float64: n candidates, m members, higher is better, NaN where a member has no value for a candidate.
Such a candidate comes last for that member, behind every one that has a value. Weights are [m], above 0; without them
all members count alike. No function depends on the order of the
candidates, not in the last bit either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wrcor_ext.votes import majority

Table = npt.NDArray[np.float64]
Weights = Sequence[float] | None


@dataclass(frozen=True)
class Count:
    """What a method finds.

    Attributes:
        values: [n], higher is better.
        groups: candidates from the best to the worst; those of a group are equals.
        cycles: groups of candidates that beat each other in a circle (majority only).
    """

    values: npt.NDArray[np.float64]
    groups: Sequence[Sequence[int]]
    cycles: Sequence[Sequence[int]] = ()


def by_majority(table: Table, weights: Weights = None) -> Count:
    """Who wins against whom by the majority of votes; the value is the Copeland score, wins minus losses.

    Weights are numbers of votes.
    """
    beats = majority.duels(table, None if weights is None else [int(weight) for weight in weights])
    found = majority.order(beats)
    return Count(majority.copeland(beats).astype(np.float64), found.groups, found.cycles)


def by_rank(table: Table, weights: Weights = None) -> Count:
    """The mean over members of the rank, which is 1 for the worst and n for the best candidate; ties share the mean."""
    return _by_value(_sums(_each(_ranks, table), weights, mean=True))


def by_logrank(table: Table, weights: Weights = None) -> Count:
    """The sum over members of log(rank / n): being the worst for one member weighs more than being the best.

    The non-linear ranking aggregation of AZ-NAS (arXiv 2403.19232), ranks as for `by_rank`.
    """
    logs = np.array([list(map(math.log, row)) for row in _each(_ranks, table) / len(table)])
    return _by_value(_sums(logs, weights, mean=False))


def by_zscore(table: Table, weights: Weights = None) -> Count:
    """The mean over members of (value - mean) / standard deviation; without a value, one less than the lowest."""
    return _by_value(_sums(_each(_zscores, table), weights, mean=True))


def by_minmax(table: Table, weights: Weights = None) -> Count:
    """The mean over members of (value - lowest) / (highest - lowest); without a value, one less than the lowest."""
    return _by_value(_sums(_each(_shares, table), weights, mean=True))


METHODS: dict[str, Callable[[Table, Weights], Count]] = {
    "majority": by_majority,
    "rank": by_rank,
    "logrank": by_logrank,
    "zscore": by_zscore,
    "minmax": by_minmax,
}


def _sums(opinions: Table, weights: Weights, *, mean: bool) -> list[float]:
    """The weighted sum, or mean, of each row."""
    factors = np.ones(opinions.shape[1]) if weights is None else np.array(weights)
    total = math.fsum(factors) if mean else 1.0
    return [math.fsum(row) / total for row in opinions * factors]


def _each(opinion: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]], table: Table) -> Table:
    return np.stack([opinion(column) for column in table.T], axis=1)


def _ranks(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    known = ~np.isnan(column)
    values = np.sort(column[known])
    ranks = np.ones(len(column))
    below, up_to = (np.searchsorted(values, column[known], side) for side in ("left", "right"))
    ranks[known] = (len(column) - len(values)) + (below + up_to + 1) / 2
    return ranks


def _zscores(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    values = _scaled(column[~np.isnan(column)])
    mean = math.fsum(values) / max(1, len(values))
    deviation = math.sqrt(math.fsum((values - mean) ** 2) / max(1, len(values)))
    return _filled(column, (values - mean) / deviation if deviation else np.zeros_like(values))


def _shares(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    values = _scaled(column[~np.isnan(column)])
    lowest, highest = (values.min(), values.max()) if len(values) else (0.0, 0.0)
    return _filled(column, (values - lowest) / (highest - lowest) if highest > lowest else np.zeros_like(values))


def _scaled(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values of at most 1: proxies of deep networks reach 1e200, whose square is infinite. No opinion depends on it."""
    largest = np.abs(values).max(initial=0.0)
    return values / largest if largest else values


def _filled(column: npt.NDArray[np.float64], opinions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    filled = np.full(len(column), opinions.min(initial=0.0) - 1)
    filled[~np.isnan(column)] = opinions
    return filled


def _by_value(values: Sequence[float]) -> Count:
    groups: dict[float, list[int]] = {}
    for candidate, value in enumerate(values):
        groups.setdefault(value, []).append(candidate)
    return Count(np.array(values), [groups[value] for value in sorted(groups, reverse=True)])
