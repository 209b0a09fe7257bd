"""The limits of a search, as a space that keeps them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

import numpy as np

from wrcor_ext.latency import LatencySource
from wrcor_ext.limited_space import LimitedSpace
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.spaces import Limits, Space
from wrcor_ext.timed_space import TimedSpace

A = TypeVar("A", bound=Hashable)


def limited(
    space: Space[A], config: SearchConfig, latencies: LatencySource[A] | None = None, *, begun: bool = False
) -> Space[A]:
    """`space` under the limits of `config`; the space itself where there are none.

    Args:
        space: with the classes of the run's images as its default.
        config: `max_flops`, `max_params`, `max_memory`, `max_layers` and `max_latency`.
        latencies: where there is a limit on them.
        begun: whether the run has trials already, all of which keep the limits: nothing is tried out then.

    Raises:
        InputError: if no architecture keeps the limits.
    """
    limits = Limits(
        flops=config.max_flops,
        params=config.max_params,
        latency=config.max_latency,
        memory=config.max_memory,
        layers=config.max_layers,
    )
    if limits == Limits():
        return space
    within = LimitedSpace(space if latencies is None else TimedSpace(space, latencies), limits)
    if not begun:
        # Limits that nobody meets are refused now, before a folder is made.
        within.sample(np.random.default_rng(config.seed))
    return within
