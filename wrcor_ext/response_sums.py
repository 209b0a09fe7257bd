"""Sums responses into the N x N matrices that proxies ask for, measuring each distinct tensor once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from wrcor_ext import ops
from wrcor_ext.needs import Kind, Measure, Need, ResponseSum
from wrcor_ext.ops.checks import MAX_SUMS
from wrcor_ext.proxies import Summed
from wrcor_ext.same_tensor import identity

_ACCUMULATE: dict[Measure, Callable[..., None]] = {
    "correlation": ops.accumulate_correlation,
    "hamming": ops.accumulate_hamming,
}

# A GPU spends longer on launching than on measuring a response of a late level: up to 4 MiB each (64 images with 16,384
# features in float32) they are held back and measured together, at most 64 MiB and as many as share a launch.
GROUPED_BYTES = 2**22
HELD_BYTES = 2**26
HELD_RESPONSES = 32


class OverwrittenError(Exception):
    """A response was overwritten while it was held back: the pass is to be run again without holding any back."""


class DifferentCallsError(Exception):
    """Parts of a batch do not give the same responses in the same order."""


@dataclass
class _Measured:
    """The matrix of one distinct tensor, good as long as its storage lives and is not written to."""

    storage: StorageWeakRef
    k: Tensor
    uses: Counter[tuple[ResponseSum, Kind]]


@dataclass
class _Held:
    """A response that waits for its group, with the version of its memory and the factor in each sum."""

    response: Tensor
    version: int
    weights: dict[ResponseSum, float] = field(default_factory=lambda: defaultdict(float))
    uses: Counter[tuple[ResponseSum, Kind]] = field(default_factory=Counter)


class ResponseSums:
    """A recorder's sink. Nothing in it makes the host wait for a GPU before `settle`.

    Args:
        needs: the sums to build, each with the first level that it takes.
        images: N, the number of rows of every response.
        device: of the model.
        grouped: whether small responses are held back and measured in groups, which saves launches on a GPU; on a CPU
            a response is measured at best while it is still in the cache. None: unless on a CPU.
        without: distinct responses to take for undefined, by number.

    Attributes:
        ignored: responses whose first dimension is not N.
    """

    def __init__(
        self,
        needs: dict[ResponseSum, int],
        images: int,
        device: torch.device,
        *,
        grouped: bool | None = None,
        without: frozenset[int] = frozenset(),
    ) -> None:
        self._images = images
        self._first_levels = needs
        self._device = device
        self._without = without
        correlations = sum(need.measure == "correlation" for need in needs)
        self._grouped = (device.type != "cpu" if grouped is None else grouped) and correlations <= MAX_SUMS
        self._of_measure = {m: [n for n in needs if n.measure == m] for m in _ACCUMULATE}
        # The sums of one measure lie in one tensor, so that a group is added to all of them at once.
        self._stacks: dict[Measure, Tensor] = {m: self._matrices(len(of)) for m, of in self._of_measure.items() if of}
        self._sums = {n: self._stacks[m][i] for m, of in self._of_measure.items() for i, n in enumerate(of)}
        self._measured: dict[tuple[object, ...], _Measured] = {}
        self._held: dict[tuple[object, ...], _Held] = {}
        # One flag per measured tensor on the device (1: used, 0: skipped), and how often each sum used it.
        self._flags: list[Tensor] = []
        self._uses: list[Counter[tuple[ResponseSum, Kind]]] = []
        # Likewise, whether it is defined for any part of the batch.
        self._somewhere: Tensor | None = None
        self.ignored = 0

    def activation(self, level: int, response: Tensor, *, overwritten: bool = False) -> None:
        """Adds an activation response [N, ...] of that level to the sums that want it."""
        self._add("activation", level, response, overwritten)

    def gradient(self, level: int, response: Tensor) -> None:
        """Adds a gradient response [N, ...] of that level to the sums that want it."""
        self._add("gradient", level, response, overwritten=False)

    def _matrices(self, count: int) -> Tensor:
        return torch.zeros(count, self._images, self._images, dtype=torch.float64, device=self._device)

    def _add(self, kind: Kind, level: int, response: Tensor, overwritten: bool) -> None:
        wanting = [n for n, first in self._first_levels.items() if kind in n.kinds and level >= first]
        if not wanting:
            return
        if response.dim() < 2 or response.shape[0] != self._images or response.numel() == 0:
            self.ignored += 1
            return
        response = response.detach()
        # What was made under `torch.inference_mode` does not tell whether it has been overwritten.
        holds = self._grouped and _bytes(response) <= GROUPED_BYTES and not response.is_inference()
        for measure, of in self._of_measure.items():
            weights = {n: 2.0**level if n.level_weighted else 1.0 for n in of if n in wanting}
            if not weights:
                continue
            uses = Counter((need, kind) for need in weights)
            if holds and measure == "correlation":
                self._hold(response, weights, uses, overwritten)
            else:
                one = self._measure(measure, response)
                one.uses.update(uses)
                for need, weight in weights.items():
                    self._sums[need].add_(one.k, alpha=weight)

    def _measure(self, measure: Measure, response: Tensor) -> _Measured:
        key = (measure, *identity(response))
        known = self._measured.get(key)
        if known is not None and not known.storage.expired():
            return known
        self._measured = {k: m for k, m in self._measured.items() if not m.storage.expired()}
        (k,) = self._matrices(1)
        counts = torch.zeros(2, dtype=torch.int64, device=self._device)
        if len(self._flags) not in self._without:
            _ACCUMULATE[measure](k, response, 1.0, counts)
        self._flags.append(counts[:1])
        self._uses.append(Counter())
        self._measured[key] = _Measured(StorageWeakRef(response.untyped_storage()), k, self._uses[-1])
        return self._measured[key]

    def _hold(
        self,
        response: Tensor,
        weights: dict[ResponseSum, float],
        uses: Counter[tuple[ResponseSum, Kind]],
        overwritten: bool,
    ) -> None:
        key = identity(response)
        if key not in self._held:
            full = len(self._held) == HELD_RESPONSES
            if full or _bytes(response) + sum(_bytes(h.response) for h in self._held.values()) > HELD_BYTES:
                self.flush()
            self._held[key] = _Held(response, response._version)
        held = self._held[key]
        held.uses.update(uses)
        for need, weight in weights.items():
            held.weights[need] += weight
        if overwritten:
            # A copy waits in its place: less than the launches that it would take by itself.
            held.response = response.clone()
            held.version = held.response._version
            self._held[identity(held.response)] = self._held.pop(key)

    def flush(self) -> None:
        """Measures what is held back.

        Raises:
            OverwrittenError: one of the held responses is not what it was.
        """
        waiting, self._held = list(self._held.values()), {}
        if any(held.response._version != held.version for held in waiting):
            raise OverwrittenError
        needs = self._of_measure["correlation"]
        for dtype in dict.fromkeys(held.response.dtype for held in waiting):  # mixed precision has several
            group = [held for held in waiting if held.response.dtype == dtype]
            flags = torch.empty(len(group), dtype=torch.int64, device=self._device)
            weights = [held.weights[need] for need in needs for held in group]
            ops.accumulate_correlation_group(
                self._stacks["correlation"], [held.response for held in group], weights, flags
            )
            self._flags.append(flags)
            self._uses.extend(held.uses for held in group)

    def place(self, rows: Tensor, part: ResponseSums) -> None:
        """Takes over what a pass with some of the images has summed, in a place of their own in each matrix.

        Once every two images have been in one part, the sums are those of the whole batch.

        Args:
            rows: [n] int64, which images these are.
            part: their sums, without groups.

        Raises:
            DifferentCallsError: if it has other responses than the parts before it.
        """
        if self._uses and self._uses != part._uses:
            raise DifferentCallsError
        self._uses, self.ignored = part._uses, part.ignored
        for need, k in part._sums.items():
            self._sums[need][rows[:, None], rows] = k
        flags = part._flag_tensor
        # Defined for all images so far, and for some.
        self._flags = [flags * self._flag_tensor if self._flags else flags]
        self._somewhere = flags if self._somewhere is None else flags | self._somewhere

    @property
    def partly_undefined(self) -> frozenset[int]:
        """The numbers of responses that are defined for some of the images only."""
        if self._somewhere is None:
            return frozenset()
        return frozenset((self._somewhere > self._flag_tensor).nonzero().flatten().tolist())

    def complete(self) -> None:
        """Measures what is held back, after the last response: only the sums and a flag per response are kept.

        Raises:
            OverwrittenError: as `flush`.
        """
        self.flush()
        self._measured.clear()

    @property
    def _flag_tensor(self) -> Tensor:
        return torch.cat(self._flags) if self._flags else torch.empty(0, dtype=torch.int64, device=self._device)


def settle(sums: Sequence[ResponseSums]) -> list[dict[Need, Summed]]:
    """The finished sums of several passes: all log-determinants in one batched call, all numbers in one transfer.

    This is where the host waits for a GPU: once for each device and number of images, however many passes there are.

    Returns:
        For each pass, what became of each of its sums.
    """
    alike: dict[tuple[torch.device, int], list[ResponseSums]] = defaultdict(list)
    for one in sums:
        one.complete()
        alike[one._device, one._images].append(one)
    settled: dict[ResponseSums, dict[Need, Summed]] = {}
    for members in alike.values():
        matrices = torch.stack([k for one in members for k in one._sums.values()])
        signs, logs = ops.slogdet(matrices)
        flags = [one._flag_tensor.to(signs.dtype) for one in members]
        numbers = iter(torch.cat([torch.stack([signs, logs], 1).flatten(), *flags]).tolist())
        determinants = {one: {need: (next(numbers), next(numbers)) for need in one._sums} for one in members}
        for one in members:
            settled[one] = _summed(one, determinants[one], [next(numbers) for _ in one._uses])
    return [settled[one] for one in sums]


def _summed(
    one: ResponseSums, determinants: dict[ResponseSum, tuple[float, float]], flags: Sequence[float]
) -> dict[Need, Summed]:
    used: dict[ResponseSum, Counter[Kind]] = {need: Counter() for need in one._sums}
    skipped: dict[ResponseSum, Counter[Kind]] = {need: Counter() for need in one._sums}
    for uses, flag in zip(one._uses, flags, strict=True):
        for (need, kind), times in uses.items():
            (used if flag else skipped)[need][kind] += times
    return {n: Summed(one._sums[n], used[n], skipped[n], *determinants[n]) for n in one._sums}


def _bytes(response: Tensor) -> int:
    """What holding a response keeps in memory: all that it is a part of."""
    return response.untyped_storage().nbytes()


class ResponseCount:
    """A recorder's sink that only counts the calls of each level."""

    def __init__(self) -> None:
        self.per_level: dict[int, int] = {}

    def activation(self, level: int, response: Tensor, *, overwritten: bool = False) -> None:
        """Counts a call."""
        self.per_level[level] = self.per_level.get(level, 0) + 1

    def gradient(self, level: int, response: Tensor) -> None:
        """Nothing: there is one gradient per call."""
