"""Sets of equally many items, drawn item by item without repetition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import permutations

import numpy as np
import numpy.typing as npt

from wrcor_ext.strategies.adam import Floats


class SubsetFactor:
    """The distribution of the set of the first k items of successive draws without repetition (Plackett & Luce).

    Item i is drawn next with the probability w_i / (sum of w over the items not drawn yet), w_i = exp(logit i). A set
    is what is left when the order is forgotten: its probability is the sum over all k! orders, so k is to be small.

    Args:
        subsets: all sets of k items, numbered from 0, in ascending order within each.
    """

    def __init__(self, subsets: Sequence[tuple[int, ...]]) -> None:
        self._subsets = subsets
        self._codes = {subset: code for code, subset in enumerate(subsets)}
        self._size = len(subsets[0])
        self.items = 1 + max(map(max, subsets))

    def draw(self, logits: Floats, uniform: Sequence[float]) -> int:
        """A random set.

        Args:
            logits: one for each item [items].
            uniform: as many numbers from [0, 1).

        Returns:
            The set's position in `subsets`.
        """
        # Exponential clocks of rates w: the order in which they ring is that of draws without repetition.
        # Compared as logarithms, so that no logit overflows; 1 - u is never 0.
        clocks = [_log(-math.log(1 - u)) - logit for u, logit in zip(uniform, logits.tolist(), strict=True)]
        first = sorted(range(self.items), key=clocks.__getitem__)[: self._size]
        return self._codes[tuple(sorted(first))]

    def gradient(self, logits: Floats, code: int) -> Floats:
        """The derivative of the logarithm of a set's probability, by the logits [items].

        For one order it is 1 for the items of the set less their shares, at each draw, of what was left. For the set it
        is the mean over its orders, weighted by their probabilities.
        """
        subset = self._subsets[code]
        remaining = np.where(_left(subset, self.items), logits, -np.inf)
        highest = remaining.max(axis=2, keepdims=True)
        weights = np.exp(remaining - highest)
        sums = weights.sum(axis=2, keepdims=True)
        # [k!]: the logarithm of each order's probability, but for what all orders share.
        log_chances = -(highest + np.log(sums)).sum(axis=(1, 2))
        chances = np.exp(log_chances - log_chances.max())
        # No matrix product: its last digits might depend on the number of threads.
        expected = ((chances / chances.sum())[:, None] * (weights / sums).sum(axis=1)).sum(axis=0)
        found: Floats = -expected
        found[list(subset)] += 1
        return found


def _log(number: float) -> float:
    return math.log(number) if number > 0 else -math.inf


@lru_cache(maxsize=128)
def _left(subset: tuple[int, ...], items: int) -> npt.NDArray[np.bool_]:
    """[k!, k, items]: for each order of a set and each draw, which items have not been drawn before."""
    orders = list(permutations(subset))
    left = np.ones((len(orders), len(subset), items), dtype=np.bool_)
    for number, order in enumerate(orders):
        for place, item in enumerate(order):
            left[number, place + 1 :, item] = False
    return left
