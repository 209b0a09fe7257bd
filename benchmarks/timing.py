"""Clocks, cold caches and the bandwidth that figures are held against.

On a CPU a sample is wall time. On a GPU it is the time between two CUDA events on the current stream: the write that
evicts the second-level cache is still running when the host enqueues the events and the work between them, so what a
host takes to launch a few kernels is hidden, as it is in a real pass; what it takes beyond that, or any wait of the
host for the device, is counted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch

Work = Callable[[], object]

# Where the size of the last-level cache cannot be read: larger than that of one socket of common servers.
_UNKNOWN_CACHE = 64 * 2**20
_COPIED_BYTES = {"cpu": 2**28, "cuda": 2**30}


class Sample(NamedTuple):
    """One run: seconds, and processor seconds of the calling thread (NaN on a GPU)."""

    seconds: float
    cpu_seconds: float


class Clock:
    """Runs work and says how long it took.

    Args:
        device: where the work is done.
        cold: evict the caches before every sample, by writing a buffer twice as large as the last-level cache.
    """

    def __init__(self, device: torch.device, *, cold: bool) -> None:
        self.device = device
        self._flushed = torch.empty(2 * cache_bytes(device), dtype=torch.uint8, device=device) if cold else None

    def round(self, contenders: Mapping[str, Work]) -> dict[str, Sample]:
        """One sample of each contender, in turn."""
        sample = self._between_events if self.device.type == "cuda" else self._wall
        pending = {name: sample(work) for name, work in contenders.items()}
        return {name: read() for name, read in pending.items()}

    def warm_up(self, work: Work, milliseconds: float) -> None:
        """Runs the work, once at least, until so much time has passed."""
        end = time.perf_counter() + milliseconds / 1e3
        while True:
            work()
            self.wait()
            if time.perf_counter() >= end:
                return

    def wait(self) -> None:
        """Returns when the device is idle."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _flush(self) -> None:
        if self._flushed is not None:
            self._flushed.zero_()

    def _wall(self, work: Work) -> Callable[[], Sample]:
        self._flush()
        cpu_start, start = time.thread_time(), time.perf_counter()
        work()
        sample = Sample(time.perf_counter() - start, time.thread_time() - cpu_start)
        return lambda: sample

    def _between_events(self, work: Work) -> Callable[[], Sample]:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        self._flush()
        begin.record()
        work()
        end.record()

        def read() -> Sample:
            end.synchronize()
            return Sample(begin.elapsed_time(end) / 1e3, float("nan"))

        return read


def cache_bytes(device: torch.device) -> int:
    """Size of the last cache before memory: L2 of a GPU, the largest that Linux reports of a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).L2_cache_size) or _UNKNOWN_CACHE
    units = {"K": 2**10, "M": 2**20, "G": 2**30}
    sizes = [file.read_text().strip() for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    return max((int(text[:-1]) * units[text[-1]] for text in sizes if text[-1] in units), default=_UNKNOWN_CACHE)


def copy_sample(device: torch.device, groups: int = 5, repeats: int = 5) -> tuple[int, float]:
    """(bytes of a large tensor, seconds of its `copy_`): the best of `groups` medians of `repeats` runs.

    The copy reads and writes every byte: its bandwidth is twice the bytes over the seconds.
    """
    source = torch.ones(_COPIED_BYTES[device.type], dtype=torch.uint8, device=device).view(torch.float32)
    target = torch.empty_like(source)
    clock = Clock(device, cold=False)
    work = {"copy": lambda: target.copy_(source)}
    clock.warm_up(work["copy"], 100.0)
    medians = [statistics.median(clock.round(work)["copy"].seconds for _ in range(repeats)) for _ in range(groups)]
    return _COPIED_BYTES[device.type], min(medians)
