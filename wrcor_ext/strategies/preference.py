"""Which of several scored candidates is the best: the highest score, unless somebody decides otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

# One number per opinion on a candidate, higher is better; None where an opinion is missing.
Values = tuple[float | None, ...]


class Preference(Protocol):
    """Compares candidates by their values; a candidate without any (None) loses against all that have some.

    What is better may depend on who is compared, as in a vote.
    """

    @property
    def width(self) -> int:
        """How many values a candidate has."""

    def best(self, candidates: Sequence[Values | None]) -> int:
        """Index of the best of at least one candidate; of equals the first."""

    def order(self, candidates: Sequence[Values | None]) -> list[int]:
        """Indices from the best to the worst; of equals the first given, those without values at the end."""

    def heights(self, candidates: Sequence[Values | None]) -> npt.NDArray[np.float64]:
        """One column per objective [n, objectives], higher is better, NaN where a candidate has none.

        Numbers of one call compare with each other only.
        """


class Highest:
    """The preference where a candidate has one value: the higher one."""

    width = 1

    def best(self, candidates: Sequence[Values | None]) -> int:
        """Index of the highest; of equals the first."""
        return max(range(len(candidates)), key=lambda index: _number(candidates[index]))

    def order(self, candidates: Sequence[Values | None]) -> list[int]:
        """Indices from the highest to the lowest; of equals the first given."""
        return sorted(range(len(candidates)), key=lambda index: -_number(candidates[index]))

    def heights(self, candidates: Sequence[Values | None]) -> npt.NDArray[np.float64]:
        """The scores themselves [n, 1]."""
        found = [np.nan if values is None or values[0] is None else values[0] for values in candidates]
        return np.array(found, dtype=np.float64).reshape(-1, 1)


def _number(values: Values | None) -> float:
    number = None if values is None else values[0]
    return float("-inf") if number is None else number
