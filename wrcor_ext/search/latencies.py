"""Who knows the latencies of a search: a table, or measurements that are made once and kept in the journal."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Generic, TypeVar

from wrcor_ext.errors import BackendError, InputError
from wrcor_ext.latency import LatencySource, LatencyTable, MeasuredLatency
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.timings import EVALUATE, Timings
from wrcor_ext.spaces import Space

A = TypeVar("A", bound=Hashable)


def source_of(config: SearchConfig, space: Space[A], *, image_size: int) -> LatencySource[A] | None:
    """Who knows the latencies that a limit or an objective asks for; None where neither does.

    Args:
        config: of the run.
        space: with the classes of the run's images as its default.
        image_size: of the run's images, in pixels.

    Raises:
        InputError: for a table that nobody asks for, or that cannot be read; for a device that is not here.
    """
    asked = config.max_latency is not None or "latency" in (*config.maximize, *config.minimize)
    if not asked and config.latency_table is not None:
        raise InputError(
            f"--latency-table {config.latency_table} has no effect without --max-latency, or latency as an objective"
        )
    if not asked:
        return None
    if config.latency_table is not None:
        return LatencyTable(config.latency_table, space)
    measured = MeasuredLatency(space, image_size=image_size, threads=config.threads, device=config.device)
    return KeptLatency(measured, space)


class KeptLatency(Generic[A]):
    """Asks another source once for each architecture of a run, even if the run is stopped in between and resumed.

    A candidate is drawn again when a group is asked for again, and so are those that a limit refused before it: only
    with the same latencies are they the same. What cannot be measured, because its network cannot be built or run,
    takes for ever.

    Args:
        source: the other one.
        space: that the architectures belong to.
    """

    def __init__(self, source: LatencySource[A], space: Space[A]) -> None:
        self._source = source
        self._space = space
        self._known: dict[str, float] = {}
        self._journal: Journal | None = None
        self._timings = Timings()

    def keep_in(self, journal: Journal, timings: Timings) -> None:
        """Goes by what the journal holds, and writes down there whatever else is found out, so far and from now on.

        Args:
            journal: of the run.
            timings: are told that measuring is evaluation, also while a strategy is asked.
        """
        kept = journal.latencies()
        self._journal, self._timings = journal, timings
        for text, latency in self._known.items():
            if text not in kept:
                journal.keep_latency(text, latency)
        self._known.update(kept)

    def milliseconds(self, arch: A) -> float:
        """The one latency that an architecture has in this run; infinite if it cannot be measured."""
        text = self._space.format(arch)
        if text not in self._known:
            try:
                with self._timings.phase(EVALUATE):
                    found = self._source.milliseconds(arch)
            except BackendError:
                raise  # The installation is at fault, not the candidate.
            except Exception:  # noqa: BLE001  a network is foreign code: its evaluation will say what is wrong with it
                found = math.inf
            if self._journal is not None:
                self._journal.keep_latency(text, found)
            self._known[text] = found
        return self._known[text]
