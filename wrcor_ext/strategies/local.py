"""Local search: climb to a local optimum, then begin anew elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal

from wrcor_ext.errors import InputError
from wrcor_ext.strategies.base import A, Strategy
from wrcor_ext.strategies.preference import Preference, Values
from wrcor_ext.strategies.registry import register
from wrcor_ext.strategies.shuffle import Shuffle

if TYPE_CHECKING:
    from wrcor_ext.spaces import Space

Move = Literal["first", "best"]
MOVES: tuple[Move, ...] = ("first", "best")

# Mutations that were asked for before, one after the other, that end a neighbourhood which cannot be listed.
MOST_REPEATED = 20


@dataclass(frozen=True)
class Scored(Generic[A]):
    """An architecture that has a score: itself, the same as text (for the state), and its values."""

    arch: A
    text: str
    values: Values


@register(
    "local",
    paper="White et al., Exploring the loss landscape in neural architecture search, UAI 2021 (arXiv 2005.02960)",
    options=("move", "patience"),
)
class LocalSearch(Strategy[A]):
    """Hill climbing from random starts: on to a better neighbour, and to a new start where there is none.

    The neighbours of the incumbent are scored in random order: all that `Space.neighbours` lists, or mutations where
    it lists none; those outside the space's limits are passed over, and those that the last neighbourhood shared. The
    incumbent is a local optimum when none of them is better, or none of the first `patience`.

    Asked for more than there are neighbours left, it gives random architectures. The best of those told since the last
    start is the next start.

    Args:
        space: what to draw from.
        seed: of the private generator.
        move: "first" goes on from a better neighbour as soon as one is told, from the best of several told together;
            "best" goes on from the best of all neighbours.
        patience: most neighbours of one incumbent that are asked for.
        preference: which of several candidates is the best; the one of highest score if None. A neighbour that is its
            incumbent's equal is not better.

    Raises:
        InputError: for an option out of range.
    """

    def __init__(
        self,
        space: Space[A],
        *,
        seed: int,
        move: Move = "first",
        patience: int = 64,
        preference: Preference | None = None,
    ) -> None:
        super().__init__(space, seed=seed, preference=preference)
        if move not in MOVES:
            raise InputError(f"move {move!r}: must be one of {', '.join(MOVES)}")
        if patience < 1:
            raise InputError(f"patience {patience}: must be at least 1")
        self._move = move
        self._patience = patience
        # Where the climb stands, and the best neighbour told since it stands there: the incumbent itself before.
        self._incumbent: Scored[A] | None = None
        self._champion: Scored[A] | None = None
        # The best random architecture told since the last start.
        self._start: Scored[A] | None = None
        # Its neighbours but those asked for before, and the order in which they come; none where they are mutations.
        self._neighbours: list[A] | None = None
        self._order = Shuffle(0, 0)
        # How many more of them may be asked for.
        self._left = 0
        # The incumbent and the neighbours asked for; those not told yet. Dictionaries are sets that keep their order.
        self._asked: dict[str, None] = {}
        self._open: dict[str, None] = {}
        # The same of the incumbent before.
        self._asked_before: dict[str, None] = {}

    def ask(self, n: int = 1) -> list[A]:
        """Neighbours of the incumbent, and random architectures where none is left."""
        return [self._next() for _ in range(n)]

    def _next(self) -> A:
        neighbour = self._neighbour()
        if neighbour is None:
            self._left = 0
            return self._space.sample(self._rng)
        text = self._space.format(neighbour)
        self._asked[text] = self._open[text] = None
        self._left -= 1
        return neighbour

    def _neighbour(self) -> A | None:
        """A neighbour of the incumbent that has not been asked for; None if there is none."""
        if self._incumbent is None or not self._left:
            return None
        if self._neighbours is None:
            return self._mutation(self._incumbent.arch)
        for number in self._order:
            neighbour = self._neighbours[number]
            if self._space.admits(neighbour):
                return neighbour
        return None

    def _mutation(self, incumbent: A) -> A | None:
        for _ in range(MOST_REPEATED):
            try:
                neighbour = self._space.mutate(incumbent, self._rng)
            except InputError:  # No neighbour is within the limits.
                return None
            text = self._space.format(neighbour)
            if text not in self._asked and text not in self._asked_before:
                return neighbour
        return None

    def _learn(self, results: Sequence[tuple[A, Values | None]]) -> None:
        starts: list[Scored[A]] = []
        neighbours: list[Scored[A]] = []
        for arch, values in results:
            text = self._space.format(arch)
            told = starts  # What was not asked for is as good a start as any.
            if text in self._open:
                del self._open[text]
                told = neighbours
            if values is not None:
                told.append(Scored(arch, text, values))
        self._start = self._best(self._start, starts)
        self._champion = self._best(self._champion, neighbours)
        all_told = not self._left and not self._open
        if self._champion != self._incumbent and (all_told or self._move == "first"):
            self._go_to(self._champion, self._asked)
        elif self._incumbent is None or all_told:
            self._go_to(self._start, {})
            self._start = None

    def _best(self, best: Scored[A] | None, others: Sequence[Scored[A]]) -> Scored[A] | None:
        """The best of all of these; of equals the one that was the best before."""
        candidates = [*([] if best is None else [best]), *others]
        if not candidates:
            return None
        return candidates[self._preference.best([one.values for one in candidates])]

    def _go_to(self, place: Scored[A] | None, asked_before: dict[str, None]) -> None:
        """Makes `place` the incumbent. None is nowhere: without a start, the search waits for one."""
        self._incumbent = self._champion = place
        self._asked_before = asked_before
        self._asked = {} if place is None else {place.text: None}
        self._list_neighbours(0 if place is None else int(self._rng.integers(2**63)), 0)
        listed = self._patience if self._neighbours is None else len(self._neighbours)
        self._left = 0 if place is None else min(self._patience, listed)

    def _list_neighbours(self, order: int, position: int) -> None:
        listed = None if self._incumbent is None else self._space.neighbours(self._incumbent.arch)
        if listed is not None:
            listed = [arch for arch in listed if self._space.format(arch) not in self._asked_before]
        self._neighbours = listed
        self._order = Shuffle(len(listed or ()), order, position)

    def _own_state(self) -> dict[str, Any]:
        return {
            "incumbent": _plain(self._incumbent),
            "champion": _plain(self._champion),
            "start": _plain(self._start),
            "order": self._order.seed,
            "position": self._order.position,
            "left": self._left,
            "asked": list(self._asked),
            "open": list(self._open),
            "asked_before": list(self._asked_before),
        }

    def _restore_own(self, state: Mapping[str, Any]) -> None:
        self._incumbent, self._champion, self._start = (
            self._scored(state[name]) for name in ("incumbent", "champion", "start")
        )
        self._asked, self._open, self._asked_before = (
            dict.fromkeys(state[name]) for name in ("asked", "open", "asked_before")
        )
        self._left = int(state["left"])
        self._list_neighbours(int(state["order"]), int(state["position"]))

    def _scored(self, plain: tuple[str, Sequence[float | None]] | None) -> Scored[A] | None:
        if plain is None:
            return None
        text, values = plain
        return Scored(self._space.parse(text), text, tuple(values))


def _plain(scored: Scored[Any] | None) -> tuple[str, list[float | None]] | None:
    return None if scored is None else (scored.text, list(scored.values))
