"""Which images switch a unit on: one code per unit, and how many different ones there are."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from wrcor_ext.measurements.precision import full_precision
from wrcor_ext.needs import Probe, Seen, Skipped, Subject, Watch
from wrcor_ext.recorder import Recorder
from wrcor_ext.same_tensor import identity

# Codes are built from float32 products, which are exact below 2^24, and joined to words of 32 images.
_PIECE, _WORD = 16, 32


@dataclass(frozen=True)
class DistinctSignCodes(Probe):
    """How many different columns the matrix of activation signs has: an int64 scalar on the device.

    The matrix has a row per image and a column per unit, a unit being one value of one activation response, and holds
    1 where the response is above 0. What counts as a response, the scoring rule says.
    """

    def watch(self, subject: Subject) -> Watch:
        """A recorder beside the pass's own."""
        return _Watch(subject)


class _Watch(Watch):
    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._codes = _Codes(len(subject.images), subject.images.device)
        self._recorder = Recorder(subject.model, self._codes, rule=subject.rule, blocks=subject.blocks, gradients=False)

    def __enter__(self) -> _Watch:
        self._recorder.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._recorder.__exit__(kind, error, traceback)

    def finish(self, subject: Subject, seen: Seen) -> Tensor | Skipped:
        if not self._codes.words:
            return Skipped(f"no activation response with a row per image (rule={subject.rule!r})")
        return distinct(torch.cat(self._codes.words, 1))


class _Codes:
    """A recorder's sink that turns each distinct response into the codes of its units.

    Attributes:
        words: per response [W, D] int64, W = ceil(N / 32): bit i of word w tells whether image 32 w + i is positive.
    """

    def __init__(self, images: int, device: torch.device) -> None:
        self._images = images
        self.words: list[Tensor] = []
        self._known: dict[tuple[object, ...], StorageWeakRef] = {}
        bits = torch.arange(images, device=device)
        pieces = -(-images // _WORD) * (_WORD // _PIECE)
        self._powers = torch.zeros(pieces, images, device=device)
        self._powers[bits // _PIECE, bits] = torch.exp2(bits % _PIECE)

    def activation(self, level: int, response: Tensor, *, overwritten: bool = False) -> None:
        """Adds the units of a response [N, ...], unless it has been seen: its codes are there already."""
        if response.dim() < 2 or response.shape[0] != self._images or response.numel() == 0:
            return
        key = identity(response)
        if key in self._known and not self._known[key].expired():
            return
        self._known[key] = StorageWeakRef(response.untyped_storage())
        with full_precision(response.device):
            signs = (response.detach() > 0).flatten(1).to(self._powers.dtype)
            low, high = (self._powers @ signs).to(torch.int64).unflatten(0, (-1, 2)).unbind(1)
            self.words.append(low | high << _PIECE)

    def gradient(self, level: int, response: Tensor) -> None:
        """Nothing: only activations are looked at."""


def distinct(words: Tensor) -> Tensor:
    """The number of different columns of [W, V] int64 with values below 2^32; up to 64 images wait for no GPU."""
    codes = words[0]
    for word in words[1:-1]:
        # The place of a code among the different ones is shorter than the code: there is room for the next word.
        codes = torch.unique(codes << _WORD | word, return_inverse=True)[1]
    ordered = (codes << _WORD | words[-1] if len(words) > 1 else codes).sort()[0]
    return 1 + ordered.diff().count_nonzero()
