"""Repeated scores: the seed of each repeat, and what the repeats say together."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

# Far beyond what anybody waits for.
MAX_REPEATS = 1000


def seed_of(repeat: int, seed: int) -> int:
    """The seed of a repeat (0, 1, ...): of its batch, of the weights and of what networks draw in it."""
    return (seed + repeat) % 2**63


def mean_and_error(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean and its standard error; one value has none.

    Computed exactly and rounded once: scores of deep networks reach 1e200, whose square no float holds.
    """
    if len(values) == 1:
        return values[0], None
    return statistics.mean(values), statistics.stdev(values) / len(values) ** 0.5
