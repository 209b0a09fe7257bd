"""Candidates with several numbers each: who is not dominated by another, and who stands where few others do.

One row of `points` [n, m] float64 is one candidate, one column one objective, higher is better. A candidate dominates
another if it is at least as good in every column and better in one. A row with NaN takes no part.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

# Candidates that are compared with each other at a time: their comparisons fit into a processor's cache.
CHUNK = 256

# Comparisons with the front that are held in memory at a time.
_AT_ONCE = 1 << 20


def front(points: Floats) -> Indices:
    """Indices of the candidates that no other dominates, ascending [k]; of equal ones the first.

    The strongest go first: each chunk's own front removes most of what is left, so that a million candidates with a
    front of a few hundred take about a second.
    """
    known = np.flatnonzero(~np.isnan(points).any(axis=1))
    # Whoever dominates has the larger sum of ranks, and of equals the first comes first: nobody is dominated by a later
    # one. Ranks add up without regard to units, and unlike sums of the numbers without rounding.
    left = known[np.argsort(-_rank_sums(points[known]), kind="stable")]
    found = [left[:0]]
    while len(left):
        chunk, left = left[:CHUNK], left[CHUNK:]
        beaten = _at_least(points[chunk], points[chunk])
        chunk = chunk[~np.triu(beaten, 1).any(axis=0)]
        found.append(chunk)
        left = left[~covered(points[left], points[chunk])]
    return np.sort(np.concatenate(found))


def covered(points: Floats, by: Floats) -> npt.NDArray[np.bool_]:
    """Which of `points` [n, m] some row of `by` [k, m] dominates or equals [n]."""
    step = max(1, _AT_ONCE // max(1, len(by)))
    parts = [_at_least(by, points[start : start + step]).any(axis=0) for start in range(0, len(points), step)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.bool_)


def ranks(points: Floats) -> Indices:
    """Number of the front that each candidate is on [n]: 0 for the front of all, 1 for that of the others, and so on.

    Equal candidates share a number; rows with NaN have the one after the last.
    """
    distinct, which = np.unique(points, axis=0, return_inverse=True)
    found = np.full(len(distinct), -1, dtype=np.int64)
    left, number = np.flatnonzero(~np.isnan(distinct).any(axis=1)), 0
    while len(left):
        best = front(distinct[left])
        found[left[best]] = number
        left, number = np.delete(left, best), number + 1
    found[found < 0] = number
    return found[which.reshape(-1)]


def crowding(points: Floats) -> Floats:
    """How far apart a candidate's neighbours are, added up over the columns, each in units of its range [n].

    The crowding distance of NSGA-II (Deb et al., IEEE Transactions on Evolutionary Computation 2002) but for the
    outermost candidates of a column, which are not infinitely far from others: they count twice the distance to the
    neighbour that they have. Of ten in a tournament, one that is infinitely far would always win, and only the ends of
    the front would ever have children. Who shares a place in a column shares its neighbours.
    """
    total = np.zeros(len(points))
    for column in points.T:
        values, place = np.unique(column, return_inverse=True)
        if len(values) > 1:
            gaps = np.diff(values)
            below, above = np.concatenate([gaps[:1], gaps]), np.concatenate([gaps, gaps[-1:]])
            total += ((below + above) / (values[-1] - values[0]))[place.reshape(-1)]
    return total


def _at_least(some: Floats, others: Floats) -> npt.NDArray[np.bool_]:
    """Whether each of `some` is at least as good as each of `others` in every column [len(some), len(others)]."""
    result = some[:, None, 0] >= others[None, :, 0]
    for column in range(1, some.shape[1]):
        result &= some[:, None, column] >= others[None, :, column]
    return result


def _rank_sums(points: Floats) -> Indices:
    total = np.zeros(len(points), dtype=np.int64)
    for column in points.T:
        total += np.unique(column, return_inverse=True)[1].reshape(-1)
    return total
