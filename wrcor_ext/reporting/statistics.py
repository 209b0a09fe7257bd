"""The statistics of a report: rank correlations, the front of score and cost, how often operations appear."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from wrcor_ext import spaces
from wrcor_ext.reporting.candidate import Floats
from wrcor_ext.reporting.operations import counts

# Fewer points make no rank correlation worth a number, fewer candidates no tenth.
MIN_PAIRS = 3
MIN_CANDIDATES = 20


def spearman(a: Floats, b: Floats) -> float | None:
    """Spearman's rank correlation over the pairs of finite numbers, equal ones sharing their mean rank.

    Args:
        a: [T].
        b: [T].

    Returns:
        From -1 to 1; None where there are fewer than `MIN_PAIRS` pairs, or one side does not vary.
    """
    finite = np.isfinite(a) & np.isfinite(b)
    if np.count_nonzero(finite) < MIN_PAIRS:
        return None
    ranks = [_ranks(side[finite]) for side in (a, b)]
    if any(np.ptp(side) == 0 for side in ranks):
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _ranks(values: Floats) -> Floats:
    _, inverse, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    mean_rank: Floats = last - (count - 1) / 2
    return mean_rank[inverse]


def front(costs: Floats, scores: Floats) -> npt.NDArray[np.int64]:
    """The positions of the points that no other one beats: lowest cost, highest score; by rising cost.

    Of equal points, the first one counts.

    Args:
        costs: [T].
        scores: [T].
    """
    order = np.lexsort((-scores, costs))  # stable: of equals the first
    before = np.maximum.accumulate(np.concatenate(([-np.inf], scores[order][:-1])))
    found: npt.NDArray[np.int64] = order[scores[order] > before]
    return found


def operation_shares(
    space: str, ranked: Sequence[str], chosen: Sequence[str] | None = None
) -> dict[str, dict[str, tuple[float, float]]]:
    """How often each operation appears among the best, and among all.

    Args:
        space: name of the space.
        ranked: architectures as text, the best first.
        chosen: the best; the first tenth of the others if None.

    Returns:
        By kind of choice and operation the two shares, from 0 to 1; without what never appears, and without kinds
        that leave no choice; empty where the space has no operations to count, and where there are fewer than
        `MIN_CANDIDATES` architectures.
    """
    if len(ranked) < MIN_CANDIDATES or space not in spaces.names():
        return {}
    each = [counts(space, text) for text in ranked]
    everyone = _shares(each)
    best = _shares(each[: math.ceil(len(each) / 10)] if chosen is None else [counts(space, text) for text in chosen])
    return {
        kind: {name: (best.get(kind, {}).get(name, 0.0), share) for name, share in shares.items() if share}
        for kind, shares in everyone.items()
        if max(shares.values()) < 1.0
    }


def _shares(each: Sequence[Mapping[str, Counter[str]]]) -> dict[str, dict[str, float]]:
    totals: dict[str, Counter[str]] = {}
    for architecture in each:
        for kind, counter in architecture.items():
            totals.setdefault(kind, Counter()).update(counter)
    return {
        kind: {name: count / total.total() for name, count in total.items()}
        for kind, total in totals.items()
        if total.total()
    }
