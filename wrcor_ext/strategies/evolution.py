"""Regularised evolution: tournament selection, mutation, and death by age."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from wrcor_ext.errors import InputError
from wrcor_ext.strategies.base import A, Strategy
from wrcor_ext.strategies.preference import Preference, Values
from wrcor_ext.strategies.registry import register

if TYPE_CHECKING:
    from wrcor_ext.spaces import Space


@dataclass(frozen=True)
class Member(Generic[A]):
    """One living candidate: its architecture, the same as text (for the state), and its values."""

    arch: A
    text: str
    values: Values | None


@register(
    "evolution",
    paper="Real et al., Regularized evolution for image classifier architecture search, AAAI 2019 (arXiv 1802.01548)",
    options=("population_size", "tournament_size"),
)
class RegularizedEvolution(Strategy[A]):
    """Regularised evolution: the best of a random tournament is mutated, the oldest of the population dies.

    Algorithm 1 of the paper. The first `population_size` candidates are random. From then on a tournament is drawn
    uniformly from the population, with replacement; its best member (of equals, the one drawn first) is the parent;
    where proxies vote, the winner of a vote over exactly those drawn, each of them once. A random architecture stands
    in for the child of a parent without neighbours. The child joins the population and the oldest member leaves it,
    however good it is. Candidates without a score live and die like others, but lose every comparison.

    Args:
        space: what to draw from.
        seed: of the private generator.
        population_size: how many candidates are alive at once.
        tournament_size: draws per tournament; 1 is a random parent.
        preference: which of a tournament is the best; the one of highest score if None.

    Raises:
        InputError: for a size out of range.
    """

    def __init__(
        self,
        space: Space[A],
        *,
        seed: int,
        population_size: int = 64,
        tournament_size: int = 10,
        preference: Preference | None = None,
    ) -> None:
        super().__init__(space, seed=seed, preference=preference)
        if population_size < 1:
            raise InputError(f"population_size {population_size}: must be at least 1")
        if tournament_size < 1:
            raise InputError(f"tournament_size {tournament_size}: must be at least 1")
        self._tournament_size = tournament_size
        self._population_size = population_size
        self._founders_left = population_size
        # Oldest first.
        self._population: deque[Member[A]] = deque(maxlen=population_size)

    def ask(self, n: int = 1) -> list[A]:
        """Founders first, children of tournament winners after them."""
        return [self._next() for _ in range(n)]

    def _next(self) -> A:
        # An empty population has no parents: asked for children before any founder was told, it gives more founders.
        if self._founders_left > 0 or not self._population:
            self._founders_left = max(0, self._founders_left - 1)
            return self._space.sample(self._rng)
        drawn = self._rng.integers(len(self._population), size=self._tournament_size).tolist()
        tournament = [self._population[i] for i in dict.fromkeys(drawn)]
        parent = tournament[self._preference.best([member.values for member in tournament])]
        try:
            return self._space.mutate(parent.arch, self._rng)
        except InputError:  # It has no neighbour, as in a space of one architecture.
            return self._space.sample(self._rng)

    def _learn(self, results: Sequence[tuple[A, Values | None]]) -> None:
        for arch, values in results:
            # The deque's maximal length drops the oldest.
            self._population.append(Member(arch, self._space.format(arch), values))

    def _own_state(self) -> dict[str, Any]:
        return {
            "founders_left": self._founders_left,
            "population": [
                [member.text, None if member.values is None else list(member.values)] for member in self._population
            ],
        }

    def _restore_own(self, state: Mapping[str, Any]) -> None:
        members = [
            Member(self._space.parse(text), text, None if values is None else tuple(values))
            for text, values in state["population"]
        ]
        if len(members) > self._population_size:
            raise ValueError(f"{len(members)} members in a population of {self._population_size}")
        self._population = deque(members, maxlen=self._population_size)
        self._founders_left = int(state["founders_left"])
