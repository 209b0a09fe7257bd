"""How independent the channels of each convolution's output are, for one image."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from wrcor_ext import ops
from wrcor_ext.measurements.precision import full_precision
from wrcor_ext.measurements.spectra import Spectra
from wrcor_ext.needs import Probe, Seen, Skipped, Subject, Watch
from wrcor_ext.ops.checks import MAX_ROWS

_Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


@dataclass(frozen=True)
class ChannelCorrelations(Probe):
    """Per convolution the smallest eigenvalue of the Pearson correlation of its output channels over positions.

    `Spectra`, of the first image only. The matrix is known to be singular, and not computed, with as many channels as
    positions or more: 0. NaN where a channel is constant, which leaves its correlation undefined, and beyond 512
    channels, which are not correlated.
    """

    def watch(self, subject: Subject) -> Watch:
        """Hooks on the convolutions."""
        return _Watch(subject.model)


class _Watch(Watch):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._convolutions = [m for m in model.modules() if isinstance(m, _Convolution)]
        self._name = type(model).__name__
        self._attached = ExitStack()
        self._correlations: list[Tensor] = []

    def __enter__(self) -> _Watch:
        for convolution in self._convolutions:
            self._attached.callback(convolution.register_forward_hook(self._after).remove)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._attached.close()

    def _after(self, module: nn.Module, args: tuple[Any, ...], out: Tensor) -> None:
        # One channel correlates with itself by definition.
        if out.shape[1] < 2:
            return
        with full_precision(out.device):
            channels = out[0].flatten(1)
            if channels.shape[0] >= channels.shape[1]:
                self._correlations.append(channels.new_zeros(1, 1, dtype=torch.float64))
            elif channels.shape[0] > MAX_ROWS:
                self._correlations.append(channels.new_full((1, 1), torch.nan, dtype=torch.float64))
            else:
                self._correlations.append(ops.response_correlation(channels))

    def finish(self, subject: Subject, seen: Seen) -> Spectra | Skipped:
        if not self._correlations:
            return Skipped(f"{self._name} has no convolution of two channels or more")
        return Spectra(self._correlations, _smallest)


def _smallest(v: Tensor) -> Tensor:
    return v[0].clamp(min=0)  # never negative but for rounding
