"""Every N-th proposal of a strategy that learns nothing: N of these propose together what it does alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wrcor_ext.strategies.base import A, Strategy
from wrcor_ext.strategies.preference import Values


class Interleaved(Strategy[A]):
    """The proposals `first`, `first + step`, `first + 2 * step`, ... of another strategy.

    Args:
        strategy: fresh; what it proposes must not depend on scores (`Strategy.learns`), since it is told none.
        first: number of the first proposal, from 0.
        step: how many share the proposals.
    """

    name = "interleaved"
    learns = False

    def __init__(self, strategy: Strategy[A], first: int, step: int) -> None:
        super().__init__(strategy._space, seed=0, preference=strategy._preference)
        self._strategy = strategy
        self._first = first
        self._step = step

    def ask(self, n: int = 1) -> list[A]:
        """The next `n` of its own, or as many as there are left."""
        # The same number for all who share, so that each sees the others' proposals between its own.
        return self._strategy.ask(n * self._step)[self._first :: self._step]

    def _learn(self, results: Sequence[tuple[A, Values | None]]) -> None:
        pass

    def _own_state(self) -> dict[str, Any]:
        return {"of": self._strategy.state()}

    def _restore_own(self, state: Mapping[str, Any]) -> None:
        self._strategy.restore(state["of"])
