"""A search space whose `sample` and `mutate` keep a bound on latency, whoever knows the latencies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, TypeVar

from wrcor_ext.errors import InputError
from wrcor_ext.latency import LatencySource
from wrcor_ext.spaces.base import Cost, Counting, Limits, Space

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

A = TypeVar("A", bound=Hashable)


class TimedSpace(Space[A]):
    """The architectures of another space, with `Limits.latency` honoured.

    Candidates are drawn within the limits on FLOPs and parameters first, and only those are timed. Everything else is
    the other space's.

    Args:
        space: what to draw from.
        source: knows the latency of its architectures, such as `MeasuredLatency` or `LatencyTable`.
        tries: candidates that are timed before a bound counts as unreachable; measuring one takes seconds.
    """

    def __init__(self, space: Space[A], source: LatencySource[A], *, tries: int = 100) -> None:
        self.name = space.name
        self.size = space.size
        self.default_num_classes = space.default_num_classes
        self.default_image_size = space.default_image_size
        self._space = space
        self._source = source
        self._tries = tries

    def sample(self, rng: np.random.Generator, *, limits: Limits | None = None) -> A:
        """A random architecture, distributed as the other space's, among those within all limits.

        Raises:
            InputError: if none within the limits was found; it names the smallest latency seen.
        """
        return self._fast_enough(lambda others: self._space.sample(rng, limits=others), limits)

    def mutate(self, arch: A, rng: np.random.Generator, *, limits: Limits | None = None) -> A:
        """A random neighbour of `arch` within all limits, never `arch` itself.

        Raises:
            InputError: if none within the limits was found; it names the smallest latency seen.
        """
        return self._fast_enough(lambda others: self._space.mutate(arch, rng, limits=others), limits)

    def _fast_enough(self, draw: Callable[[Limits | None], A], limits: Limits | None) -> A:
        if limits is None or limits.latency is None:
            return draw(limits)
        others = dataclasses.replace(limits, latency=None)
        smallest = float("inf")
        for _ in range(self._tries):
            arch = draw(others)
            latency = self._source.milliseconds(arch)
            if latency <= limits.latency:
                return arch
            smallest = min(smallest, latency)
        raise InputError(
            f"none of {self._tries} timed architectures keeps {limits}: the fastest took {smallest:.3g} ms"
        )

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
        """FLOPs and parameters, without building."""
        return self._space.cost(arch, counting=counting, num_classes=num_classes, image_size=image_size)

    def build(self, arch: A, *, num_classes: int | None = None, seed: int | None = None) -> nn.Module:
        """The network."""
        return self._space.build(arch, num_classes=num_classes, seed=seed)

    def enumerate(self) -> Iterator[A]:
        """All architectures of the other space, whatever they take."""
        return self._space.enumerate()
