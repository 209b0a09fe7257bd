"""What a search for several objectives found, as reports see it: the objectives, the front, and how it grew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wrcor_ext.reporting import costs
from wrcor_ext.reporting.candidate import Floats


@dataclass(frozen=True)
class Quantity:
    """One objective.

    Attributes:
        name: `wrcor`, `flops`.
        values: of all trials [T], in the unit that people know; NaN where there is none.
        direction: 1 where more is better, -1 where less is.
        is_cost: whether it is known without a score.
    """

    name: str
    values: Floats
    direction: int
    is_cost: bool

    @property
    def title(self) -> str:
        """Its name for people."""
        return costs.title(self.name)

    def text(self, value: float) -> str:
        """The name with a value."""
        return f"{self.title} {costs.text(self.name, value)}"


@dataclass(frozen=True)
class Tradeoff:
    """Several objectives.

    Attributes:
        quantities: the objectives, at least two.
        members: positions among the trials of those that no other beats in all objectives [k], in the front's order.
        architectures: of these, as text.
        volumes: the hypervolume after each trial [T].
        reference: by objective, the point that hypervolumes are measured from.
    """

    quantities: Sequence[Quantity]
    members: npt.NDArray[np.int64]
    architectures: Sequence[str]
    volumes: Floats
    reference: Mapping[str, float]

    def place(self, rank: int) -> int:
        """Position among the trials of the member of that rank, from 1."""
        return int(self.members[rank - 1])

    def described(self, rank: int) -> str:
        """The objectives of the member of that rank: `wrcor 12.50, FLOPs 3.00 M`."""
        place = self.place(rank)
        return ", ".join(one.text(one.values[place].item()) for one in self.quantities)

    @property
    def volume(self) -> float:
        """The hypervolume of the front."""
        return float(self.volumes[-1]) if len(self.volumes) else 0.0
