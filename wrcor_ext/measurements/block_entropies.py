"""How evenly the features of each block spread over their principal components."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from wrcor_ext.measurements.precision import at_least_float32, full_precision
from wrcor_ext.measurements.primary_blocks import NO_BLOCKS, by_channel, is_feature_map, primary_blocks
from wrcor_ext.measurements.spectra import Spectra
from wrcor_ext.needs import Probe, Seen, Skipped, Subject, Watch


@dataclass(frozen=True)
class BlockEntropies(Probe):
    """`Spectra` of the blocks' outputs, in the order in which the blocks run: how evenly features spread.

    With v the eigenvalues of the covariance between a block's channels over images and positions, and p = v / sum(v),
    the entropy is -sum(p log p): 0 for a single direction and log C for C equally strong ones. NaN where nothing varies
    or something is not finite.
    """

    def watch(self, subject: Subject) -> Watch:
        """Hooks on the blocks."""
        return _Watch(subject)


class _Watch(Watch):
    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._blocks = primary_blocks(subject)
        self._attached = ExitStack()
        self._covariances: list[Tensor] = []

    def __enter__(self) -> _Watch:
        for block in self._blocks:
            self._attached.callback(block.register_forward_hook(self._after).remove)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._attached.close()

    def _after(self, block: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        if not is_feature_map(out):
            return
        with full_precision(out.device):
            x = by_channel(at_least_float32(out))
            low, high = x.aminmax(dim=1, keepdim=True)
            # A constant channel has no variance, and not that of the rounding of its mean.
            x = torch.where(low == high, 0, x - x.mean(1, keepdim=True))
            # Both products have the same eigenvalues but for zeros, which add nothing to an entropy.
            product = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
            self._covariances.append(product.double() / x.shape[1])

    def finish(self, subject: Subject, seen: Seen) -> Spectra | Skipped:
        if not self._covariances:
            return Skipped(NO_BLOCKS)
        return Spectra(self._covariances, _entropy)


def _entropy(v: Tensor) -> Tensor:
    p = v.clamp(min=0)
    p = p / p.sum()
    entropy: Tensor = -torch.special.xlogy(p, p).sum()
    return entropy
