"""The contract of a search strategy: it proposes architectures, hears their scores, and can be put aside as JSON."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np

from wrcor_ext.errors import InputError
from wrcor_ext.strategies.preference import Highest, Preference, Values

if TYPE_CHECKING:
    from wrcor_ext.spaces import Space

A = TypeVar("A", bound=Hashable)


class Strategy(ABC, Generic[A]):
    """Ask for architectures, tell their scores: higher is better, None where an architecture could not be scored.

    A score is one number, or as many as the preference compares.

    A strategy draws from a private generator only, so its proposals depend on the seed and on what it was told, and
    on nothing else. Its whole state is plain JSON: restored into a new instance, it goes on exactly as it would have.

    Args:
        space: what to draw from.
        seed: of the private generator.
        preference: which of several candidates is the best; the one of highest score if None.
    """

    name: ClassVar[str]
    # Whether what is proposed, and the state, depend on what is told. Where they do not, several can share the work.
    learns: ClassVar[bool] = True

    def __init__(self, space: Space[A], *, seed: int, preference: Preference | None = None) -> None:
        self._space = space
        self._preference: Preference = Highest() if preference is None else preference
        # PCG64 by name: what numpy calls its default generator may change, a run's proposals may not.
        self._rng = np.random.Generator(np.random.PCG64(seed))

    @abstractmethod
    def ask(self, n: int = 1) -> list[A]:
        """The next `n` architectures to score, not always distinct; fewer, or none, only if there are no more."""

    def tell(self, results: Sequence[tuple[A, Values | float | None]]) -> None:
        """Scores of architectures asked for, in the order of asking.

        Raises:
            InputError: for a score that is no finite number, one without a score is told as None; for more or fewer
                numbers than the preference compares.
        """
        self._learn([(arch, self._checked(arch, score)) for arch, score in results])

    def _checked(self, arch: A, score: Values | float | None) -> Values | None:
        if score is None:
            return None
        values = score if isinstance(score, tuple) else (score,)
        if len(values) != self._preference.width:
            raise InputError(
                f"{len(values)} scores of {self._space.format(arch)}: the strategy compares {self._preference.width}"
            )
        for value in values:
            if value is not None and not math.isfinite(value):
                raise InputError(f"score {value} of {self._space.format(arch)} is not finite: tell None instead")
        return None if all(value is None for value in values) else values

    @abstractmethod
    def _learn(self, results: Sequence[tuple[A, Values | None]]) -> None:
        """What `tell` does with checked results; no values where there is no score."""

    def state(self) -> dict[str, Any]:
        """Everything that decides the further proposals, as plain JSON (integers may exceed 64 bits)."""
        return {"strategy": self.name, "generator": self._rng.bit_generator.state, **self._own_state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from `state`, as returned by `state()` of a strategy with the same space and options.

        Raises:
            InputError: if it is not the state of such a strategy.
        """
        if state.get("strategy") != self.name:
            raise InputError(f"the state of strategy {state.get('strategy')!r} cannot be restored into {self.name!r}")
        try:
            self._restore_own(state)
            self._rng.bit_generator.state = state["generator"]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the saved state of strategy {self.name!r} is damaged: {error!r}") from error

    @abstractmethod
    def _own_state(self) -> dict[str, Any]:
        """What a subclass keeps besides the generator."""

    @abstractmethod
    def _restore_own(self, state: Mapping[str, Any]) -> None:
        """Takes over what `_own_state` returned."""
