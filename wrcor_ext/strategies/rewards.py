"""Rewards on one scale: z-scores by the mean and the standard deviation of the first candidates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from wrcor_ext.strategies.preference import Values


class WarmUp:
    """Turns several values into one reward: the mean of their z-scores.

    The first `count` candidates decide, for each value, its mean and its standard deviation (that of the population)
    among those that have it. From then on the reward of a candidate is the mean of the z-scores of the values that it
    has. A value that all of the first candidates lack or share has no scale, and takes no part.

    Args:
        count: candidates that decide the scales.
        width: values of a candidate.
    """

    def __init__(self, count: int, width: int) -> None:
        self._left = count
        self._seen: list[list[float]] = [[] for _ in range(width)]
        # Mean and standard deviation of each value, None where it has no scale.
        self._scales: list[tuple[float, float] | None] = []

    @property
    def over(self) -> bool:
        """Whether the scales are decided."""
        return self._left == 0

    def see(self, values: Values | None) -> None:
        """Hears one of the first candidates, None if it has no value."""
        for column, value in zip(self._seen, values or (), strict=False):
            if value is not None:
                column.append(value)
        self._left -= 1
        if self.over:
            self._scales = [_scale(column) for column in self._seen]
            self._seen = []

    def reward(self, values: Values | None) -> float | None:
        """The mean of the z-scores of a later candidate; None if it has none, or an infinite one."""
        scores = [
            (value - scale[0]) / scale[1]
            for value, scale in zip(values or (), self._scales, strict=False)
            if value is not None and scale is not None
        ]
        reward = sum(scores) / len(scores) if scores else math.nan
        return reward if math.isfinite(reward) else None

    def state(self) -> dict[str, Any]:
        """Everything that decides the further rewards, as plain JSON."""
        scales = [None if scale is None else list(scale) for scale in self._scales]
        return {"left": self._left, "seen": self._seen, "scales": scales}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from `state`.

        Raises:
            KeyError, TypeError, ValueError: if it is not such a state.
        """
        self._left = int(state["left"])
        self._seen = [[float(value) for value in column] for column in state["seen"]]
        self._scales = [None if scale is None else (float(scale[0]), float(scale[1])) for scale in state["scales"]]


def _scale(column: list[float]) -> tuple[float, float] | None:
    # Of equal values the deviation may be a rounding error instead of 0.
    if not column or min(column) == max(column):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = float(np.mean(column)), float(np.std(column))
    return (mean, deviation) if 0 < deviation < np.inf else None
