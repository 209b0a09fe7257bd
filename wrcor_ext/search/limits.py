"""The limits of a search, as a space that keeps them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

import numpy as np

from wrcor_ext.errors import InputError
from wrcor_ext.latency import LatencySource, LatencyTable, MeasuredLatency
from wrcor_ext.limited_space import LimitedSpace
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.spaces import Limits, Space
from wrcor_ext.timed_space import TimedSpace

A = TypeVar("A", bound=Hashable)


def limited(space: Space[A], config: SearchConfig, *, image_size: int) -> Space[A]:
    """`space` under the limits of `config`; the space itself where there are none.

    Args:
        space: with the classes of the run's images as its default.
        config: `max_flops`, `max_params`, `max_memory`, `max_layers`, `max_latency` and `latency_table`.
        image_size: of the run's images, in pixels.

    Raises:
        InputError: if no architecture keeps the limits, or a table of latencies comes without a limit.
    """
    limits = Limits(
        flops=config.max_flops,
        params=config.max_params,
        latency=config.max_latency,
        memory=config.max_memory,
        layers=config.max_layers,
    )
    if config.latency_table is not None and config.max_latency is None:
        raise InputError(f"--latency-table {config.latency_table} has no effect without --max-latency")
    if limits == Limits():
        return space
    source: LatencySource[A] | None = None
    if config.max_latency is not None:
        if config.latency_table is not None:
            source = LatencyTable(config.latency_table, space)
        else:
            source = MeasuredLatency(space, image_size=image_size, threads=config.threads, device=config.device)
    within = LimitedSpace(space if source is None else TimedSpace(space, source), limits)
    # Limits that nobody meets are refused now, before a folder is made.
    within.sample(np.random.default_rng(config.seed))
    return within
