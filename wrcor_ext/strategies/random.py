"""Random search: the baseline that every other strategy must beat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from wrcor_ext.strategies.base import A, Strategy
from wrcor_ext.strategies.preference import Preference, Values
from wrcor_ext.strategies.registry import register
from wrcor_ext.strategies.shuffle import Shuffle

if TYPE_CHECKING:
    from wrcor_ext.spaces import Space

# Architectures outside the limits, one after the other, before nothing more is expected within them. Every benchmark
# has fewer architectures than that and is searched to its end; a grid of billions would not end on this day.
MOST_REFUSED = 1_000_000


@register("random", paper="Li & Talwalkar, Random search and reproducibility for NAS, UAI 2019 (arXiv 1902.07638)")
class RandomSearch(Strategy[A]):
    """Uniform draws, none of them twice where the space is finite; there is nothing more to propose after all of them.

    Isomorphic architectures are different ones here. In a space that limits its draws, numbers are drawn from the whole
    one, and those passed over that are not within the limits. Spaces whose architectures have no numbers
    (`Space.nth_count`) give independent draws, which may repeat.
    """

    learns = False

    def __init__(self, space: Space[A], *, seed: int, preference: Preference | None = None) -> None:
        super().__init__(space, seed=seed, preference=preference)
        count = space.nth_count
        self._order = None if count is None else Shuffle(count, int(self._rng.integers(2**63)))

    def ask(self, n: int = 1) -> list[A]:
        """The next `n` draws, or as many as there are left."""
        if self._order is None:
            return [self._space.sample(self._rng) for _ in range(n)]
        return list(islice(self._admitted(self._order), n))

    def _admitted(self, order: Shuffle) -> Iterator[A]:
        refused = 0
        # islice takes no more than it needs: a number is passed over for good.
        while refused < MOST_REFUSED and (number := next(order, None)) is not None:
            arch = self._space.nth(number)
            if self._space.admits(arch):
                refused = 0
                yield arch
            else:
                refused += 1

    def _learn(self, results: Sequence[tuple[A, Values | None]]) -> None:
        pass  # No draw depends on a score.

    def _own_state(self) -> dict[str, Any]:
        return {} if self._order is None else {"order": self._order.seed, "position": self._order.position}

    def _restore_own(self, state: Mapping[str, Any]) -> None:
        count = self._space.nth_count
        if "order" not in state:
            # Of a space without numbers, or of a release that drew with replacement everywhere.
            self._order = None
        elif count is None:
            raise ValueError(f"a position in {self._space.name}, whose architectures have no numbers")
        else:
            self._order = Shuffle(count, int(state["order"]), int(state["position"]))
