"""Where the wall time of a search goes: evaluating candidates, and the bookkeeping around it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

EVALUATE = "evaluate"


class Timings:
    """Seconds by phase of the search loop; every phase but `evaluate` is bookkeeping."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner = 0.0  # of the phases within the present one

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds the time spent inside to phase `name`, but for that of phases within it, which is theirs."""
        start = time.perf_counter()
        before, self._inner = self._inner, 0.0
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + spent - self._inner
            self._inner = before + spent

    @property
    def total(self) -> float:
        """Seconds in all phases."""
        return sum(self.seconds.values())

    @property
    def bookkeeping(self) -> float:
        """The share of the total that is not evaluation, from 0 to 1."""
        return 1.0 - self.seconds.get(EVALUATE, 0.0) / self.total if self.total else 0.0
