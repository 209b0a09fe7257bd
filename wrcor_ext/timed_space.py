"""A search space whose `sample` and `mutate` keep a bound on latency, whoever knows the latencies."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, TypeVar

from wrcor_ext.errors import InputError
from wrcor_ext.latency import LatencySource
from wrcor_ext.spaces.base import Limits, Space
from wrcor_ext.spaces.wrapper import SpaceWrapper

if TYPE_CHECKING:
    import numpy as np

A = TypeVar("A", bound=Hashable)


class TimedSpace(SpaceWrapper[A]):
    """The architectures of another space, with `Limits.latency` honoured.

    Candidates are drawn within all other limits first, and only those are timed. Everything else is the other space's.

    Args:
        space: what to draw from.
        source: knows the latency of its architectures, such as `MeasuredLatency` or `LatencyTable`.
        tries: candidates that are timed before a bound counts as unreachable; measuring one takes seconds.
    """

    def __init__(self, space: Space[A], source: LatencySource[A], *, tries: int = 100) -> None:
        super().__init__(space)
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

    def admits(self, arch: A, *, limits: Limits | None = None) -> bool:
        """Whether `arch` keeps the limits; it is timed only if it keeps the others."""
        if limits is None or limits.latency is None:
            return self._space.admits(arch, limits=limits)
        others = dataclasses.replace(limits, latency=None)
        return self._space.admits(arch, limits=others) and self._source.milliseconds(arch) <= limits.latency

    def _fast_enough(self, draw: Callable[[Limits | None], A], limits: Limits | None) -> A:
        if limits is None or limits.latency is None:
            return draw(limits)
        others = dataclasses.replace(limits, latency=None)
        smallest = math.inf
        for _ in range(self._tries):
            arch = draw(others)
            latency = self._source.milliseconds(arch)
            if latency <= limits.latency:
                return arch
            smallest = min(smallest, latency)
        found = f"the fastest took {smallest:.3g} ms" if math.isfinite(smallest) else "none could be timed"
        raise InputError(f"none of {self._tries} timed architectures keeps {limits}: {found}")
