"""A search space whose every draw keeps the same limits: what a search under a budget explores."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, TypeVar

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.base import Limits, Space
from wrcor_ext.spaces.encoding import CheckedEncoding, Encoding
from wrcor_ext.spaces.wrapper import SpaceWrapper

if TYPE_CHECKING:
    import numpy as np

A = TypeVar("A", bound=Hashable)


class LimitedSpace(SpaceWrapper[A]):
    """The architectures of another space that keep `limits`, judged without building them.

    Args:
        space: what to draw from; a `TimedSpace` where latency is limited.
        limits: of every draw.
    """

    def __init__(self, space: Space[A], limits: Limits) -> None:
        super().__init__(space)
        self.size = None  # nobody has counted them
        self._limits = limits

    def sample(self, rng: np.random.Generator, *, limits: Limits | None = None) -> A:
        """A random architecture within the limits.

        Raises:
            InputError: if none was found, or if other limits are given.
        """
        self._refuse_others(limits)
        return self._space.sample(rng, limits=self._limits)

    def mutate(self, arch: A, rng: np.random.Generator, *, limits: Limits | None = None) -> A:
        """A random neighbour of `arch` within the limits; where none is found, a random architecture within them.

        Raises:
            InputError: if there is no such architecture either, or if other limits are given.
        """
        self._refuse_others(limits)
        try:
            return self._space.mutate(arch, rng, limits=self._limits)
        except InputError:
            return self.sample(rng)

    def enumerate(self) -> Iterator[A]:
        """All architectures of the other space within the limits."""
        return filter(self.admits, self._space.enumerate())

    def admits(self, arch: A, *, limits: Limits | None = None) -> bool:
        """Whether `arch` keeps the limits, as some of what `nth` and `neighbours` give may not.

        Raises:
            InputError: if other limits are given.
        """
        self._refuse_others(limits)
        return self._space.admits(arch, limits=self._limits)

    def encoding(self) -> Encoding[A]:
        """The choices of the other space; what is not within the limits is no architecture here."""
        return CheckedEncoding(self._space.encoding(), self._refuse_outside)

    def _refuse_outside(self, arch: A) -> None:
        if not self.admits(arch):
            raise InputError(f"{self.format(arch)} does not keep {self._limits}")

    def _refuse_others(self, limits: Limits | None) -> None:
        if limits is not None:
            raise InputError(f"the space is limited to {self._limits} already: {limits} cannot be asked for on top")
