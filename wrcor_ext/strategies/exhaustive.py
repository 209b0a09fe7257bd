"""Exhaustive search: every architecture of a finite space, in its published order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from wrcor_ext.errors import InputError
from wrcor_ext.strategies.base import A, Strategy
from wrcor_ext.strategies.preference import Preference, Values
from wrcor_ext.strategies.registry import register

if TYPE_CHECKING:
    from wrcor_ext.spaces import Space


@register("exhaustive", paper="Ying et al., NAS-Bench-101, ICML 2019 (arXiv 1902.09635), which evaluates a whole space")
class ExhaustiveSearch(Strategy[A]):
    """Every architecture once, in the order of `Space.enumerate`; those outside the space's limits are passed over.

    The seed makes no difference.

    Args:
        space: what to go through.
        seed: of the private generator, which nothing is drawn from.
        preference: which of several candidates is the best; no proposal depends on it.

    Raises:
        InputError: if the architectures of the space have no numbers.
    """

    learns = False

    def __init__(self, space: Space[A], *, seed: int, preference: Preference | None = None) -> None:
        super().__init__(space, seed=seed, preference=preference)
        count = space.nth_count
        if count is None:
            raise InputError(
                f"strategy 'exhaustive' needs a space that can be enumerated, and {space.name} has too many "
                "architectures: choose another strategy"
            )
        self._count = count
        self._position = 0

    def ask(self, n: int = 1) -> list[A]:
        """The next `n` in order, or as many as there are left."""
        return list(islice(self._admitted(), n))

    def _admitted(self) -> Iterator[A]:
        while self._position < self._count:
            arch = self._space.nth(self._position)
            self._position += 1
            if self._space.admits(arch):
                yield arch

    def _learn(self, results: Sequence[tuple[A, Values | None]]) -> None:
        pass  # The order is fixed.

    def _own_state(self) -> dict[str, Any]:
        return {"position": self._position}

    def _restore_own(self, state: Mapping[str, Any]) -> None:
        position = int(state["position"])
        if not 0 <= position <= self._count:
            raise ValueError(f"position {position} in a space of {self._count}")
        self._position = position
