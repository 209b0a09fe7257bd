"""Sums responses into the N x N matrices that proxies ask for, measuring each distinct tensor once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from wrcor_ext import ops
from wrcor_ext.proxies import ResponseSum
from wrcor_ext.proxies.registry import Kind, Measure

_ACCUMULATE = {"correlation": ops.accumulate_correlation, "hamming": ops.accumulate_hamming}


@dataclass(frozen=True)
class Summed:
    """K of one `ResponseSum` and how many responses went into it.

    Attributes:
        k: [N, N] float64.
        counts: per kind [2] int64: responses used, responses skipped (a row without variance, or not finite).
    """

    k: Tensor
    counts: dict[Kind, Tensor]


@dataclass(frozen=True)
class _Measured:
    """The matrix of one distinct tensor, good as long as its storage lives and is not written to."""

    storage: StorageWeakRef
    k: Tensor
    counts: Tensor


class ResponseSums:
    """A recorder's sink.

    Args:
        needs: the sums to build, each with the first level that it takes.
        images: N, the number of rows of every response.
        device: of the model.

    Attributes:
        sums: the result by sum.
        ignored: responses whose first dimension is not N.
    """

    def __init__(self, needs: dict[ResponseSum, int], images: int, device: torch.device) -> None:
        self._images = images
        self._first_levels = needs
        self._device = device
        self.sums = {n: Summed(self._matrix(), {kind: self._counts() for kind in sorted(n.kinds)}) for n in needs}
        self.ignored = 0
        self._measured: dict[tuple[object, ...], _Measured] = {}

    def activation(self, level: int, response: Tensor) -> None:
        """Adds an activation response [N, ...] of that level to the sums that want it."""
        self._add("activation", level, response)

    def gradient(self, level: int, response: Tensor) -> None:
        """Adds a gradient response [N, ...] of that level to the sums that want it."""
        self._add("gradient", level, response)

    def _matrix(self) -> Tensor:
        return torch.zeros(self._images, self._images, dtype=torch.float64, device=self._device)

    def _counts(self) -> Tensor:
        return torch.zeros(2, dtype=torch.int64, device=self._device)

    def _add(self, kind: Kind, level: int, response: Tensor) -> None:
        wanting = [n for n, first in self._first_levels.items() if kind in n.kinds and level >= first]
        if not wanting:
            return
        if response.dim() < 2 or response.shape[0] != self._images or response.numel() == 0:
            self.ignored += 1
            return
        for measure in sorted({need.measure for need in wanting}):
            one = self._measure(measure, response)
            for need in (n for n in wanting if n.measure == measure):
                self.sums[need].k.add_(one.k, alpha=2.0**level if need.level_weighted else 1.0)
                self.sums[need].counts[kind].add_(one.counts)

    def _measure(self, measure: Measure, response: Tensor) -> _Measured:
        response = response.detach()
        storage = response.untyped_storage()
        key = (
            measure,
            storage.data_ptr(),
            response.storage_offset(),
            tuple(response.shape),
            response.stride(),
            response.dtype,
            response._version,
        )
        known = self._measured.get(key)
        if known is not None and not known.storage.expired():
            return known
        self._measured = {k: m for k, m in self._measured.items() if not m.storage.expired()}
        k, counts = self._matrix(), self._counts()
        _ACCUMULATE[measure](k, response, 1.0, counts)
        self._measured[key] = _Measured(StorageWeakRef(storage), k, counts)
        return self._measured[key]


class ResponseCount:
    """A recorder's sink that only counts the calls of each level."""

    def __init__(self) -> None:
        self.per_level: dict[int, int] = {}

    def activation(self, level: int, response: Tensor) -> None:
        """Counts a call."""
        self.per_level[level] = self.per_level.get(level, 0) + 1

    def gradient(self, level: int, response: Tensor) -> None:
        """Nothing: there is one gradient per call."""
