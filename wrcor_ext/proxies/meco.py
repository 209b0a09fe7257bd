"""MeCo: how independent the channels of a network's feature maps are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from wrcor_ext.measurements.channel_correlations import ChannelCorrelations
from wrcor_ext.proxies.registry import ProxyValue, finite, register


@register(
    "meco",
    needs=ChannelCorrelations(),
    paper="MeCo: Zero-Shot NAS via Minimum Eigenvalue of Correlation, NeurIPS 2023",
)
def meco(correlations: Sequence[Tensor | None]) -> ProxyValue:
    """Sum over convolutions of the smallest eigenvalue of the Pearson correlation between their output channels.

    For one datum, as the paper has it; here that is the batch's first image, in the shared forward, where the paper
    draws noise. A layer is a convolution: a batch-norm after it does not change the correlation. A layer with at least
    as many channels as positions adds 0; one with a constant channel has no correlation and is left out.
    """
    smallest = [_smallest_eigenvalue(correlation) for correlation in correlations]
    defined = [value for value in smallest if not math.isnan(value)]
    reason = "every convolution has a channel that does not vary over the first image"
    value = math.fsum(defined) if defined else math.nan
    return finite(value, reason, layers=len(defined), skipped=len(smallest) - len(defined))


def _smallest_eigenvalue(correlation: Tensor | None) -> float:
    if correlation is None:  # singular
        return 0.0
    if not bool(torch.isfinite(correlation).all()):
        return math.nan
    return max(0.0, float(torch.linalg.eigvalsh(correlation)[0]))  # never negative but for rounding
