"""The Adam optimiser (Kingma & Ba, ICLR 2015, arXiv 1412.6980) in float64, with a state that JSON holds exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# The paper's; torch.optim.Adam has the same.
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Steps that follow a gradient upwards.

    Args:
        size: number of parameters.
        learning_rate: alpha, about the length of a step in each parameter.
    """

    def __init__(self, size: int, learning_rate: float) -> None:
        self._learning_rate = learning_rate
        self._steps = 0
        self._first: Floats = np.zeros(size)
        self._second: Floats = np.zeros(size)

    def step(self, gradient: Floats) -> Floats:
        """What to add to the parameters [size] for the next gradient [size] of what is to grow."""
        self._steps += 1
        self._first += (1 - BETA1) * (gradient - self._first)
        self._second += (1 - BETA2) * (gradient * gradient - self._second)
        first = self._first / (1 - BETA1**self._steps)
        second = self._second / (1 - BETA2**self._steps)
        return self._learning_rate * first / (np.sqrt(second) + EPSILON)

    def state(self) -> dict[str, Any]:
        """Everything that decides the further steps, as plain JSON."""
        return {"steps": self._steps, "first": self._first.tolist(), "second": self._second.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from `state`.

        Raises:
            KeyError, TypeError, ValueError: if it is not the state of as many parameters.
        """
        size = len(self._first)
        self._first = floats(state["first"], size)
        self._second = floats(state["second"], size)
        self._steps = int(state["steps"])


def floats(numbers: Any, size: int) -> Floats:
    """A saved list of numbers as an array [size].

    Raises:
        TypeError, ValueError: for anything else.
    """
    array = np.array(numbers, dtype=np.float64)
    if array.shape != (size,):
        raise ValueError(f"{array.shape} numbers instead of {size}")
    return array
