"""Random search: the baseline that every other strategy must beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wrcor_ext.strategies.base import A, Strategy
from wrcor_ext.strategies.preference import Values
from wrcor_ext.strategies.registry import register


@register("random", paper="Li & Talwalkar, Random search and reproducibility for NAS, UAI 2019 (arXiv 1902.07638)")
class RandomSearch(Strategy[A]):
    """Independent draws from the space's own distribution, with replacement."""

    def ask(self, n: int = 1) -> list[A]:
        """The next `n` draws."""
        return [self._space.sample(self._rng) for _ in range(n)]

    def _learn(self, results: Sequence[tuple[A, Values | None]]) -> None:
        pass  # No draw depends on a score.

    def _own_state(self) -> dict[str, Any]:
        return {}

    def _restore_own(self, state: Mapping[str, Any]) -> None:
        pass
