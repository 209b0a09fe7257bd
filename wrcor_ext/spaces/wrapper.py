"""A space that stands in front of another one and changes a part of it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, TypeVar

from wrcor_ext.spaces.base import Cost, Counting, Limits, Space
from wrcor_ext.spaces.encoding import Encoding

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

A = TypeVar("A", bound=Hashable)


class SpaceWrapper(Space[A]):
    """The other space in everything that a subclass does not override.

    Args:
        space: the other one.
    """

    def __init__(self, space: Space[A]) -> None:
        self.name = space.name
        self.size = space.size
        self.default_num_classes = space.default_num_classes
        self.default_image_size = space.default_image_size
        self._space = space

    def sample(self, rng: np.random.Generator, *, limits: Limits | None = None) -> A:
        """A random architecture of the other space."""
        return self._space.sample(rng, limits=limits)

    def mutate(self, arch: A, rng: np.random.Generator, *, limits: Limits | None = None) -> A:
        """A random neighbour of `arch` in the other space."""
        return self._space.mutate(arch, rng, limits=limits)

    def parse(self, text: str) -> A:
        """The architecture that `text` describes."""
        return self._space.parse(text)

    def format(self, arch: A) -> str:
        """The published text form."""
        return self._space.format(arch)

    def key(self, arch: A) -> str:
        """The canonical text of the other space."""
        return self._space.key(arch)

    def cost(
        self, arch: A, *, counting: Counting = "exact", num_classes: int | None = None, image_size: int | None = None
    ) -> Cost:
        """What the network costs, without building it."""
        return self._space.cost(arch, counting=counting, num_classes=num_classes, image_size=image_size)

    def build(self, arch: A, *, num_classes: int | None = None, seed: int | None = None) -> nn.Module:
        """The network."""
        return self._space.build(arch, num_classes=num_classes, seed=seed)

    def enumerate(self) -> Iterator[A]:
        """All architectures of the other space."""
        return self._space.enumerate()

    def encoding(self) -> Encoding[A]:
        """The choices of the other space."""
        return self._space.encoding()

    def admits(self, arch: A, *, limits: Limits | None = None) -> bool:
        """Whether the other space finds `arch` within the limits."""
        return self._space.admits(arch, limits=limits)

    @property
    def nth_count(self) -> int | None:
        """How many architectures of the other space are numbered."""
        return self._space.nth_count

    def nth(self, number: int) -> A:
        """The architecture of this number in the other space."""
        return self._space.nth(number)

    def neighbours(self, arch: A) -> list[A] | None:
        """All neighbours of `arch` in the other space."""
        return self._space.neighbours(arch)
