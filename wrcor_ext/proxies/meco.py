"""MeCo: how independent the channels of a network's feature maps are."""

from __future__ import annotations

import math

from wrcor_ext.measurements.channel_correlations import ChannelCorrelations
from wrcor_ext.measurements.spectra import Spectra
from wrcor_ext.proxies.registry import ProxyValue, finite, register


@register(
    "meco",
    needs=ChannelCorrelations(),
    paper="MeCo: Zero-Shot NAS via Minimum Eigenvalue of Correlation, NeurIPS 2023",
)
def meco(correlations: Spectra) -> ProxyValue:
    """Sum over convolutions of the smallest eigenvalue of the Pearson correlation between their output channels.

    For one datum, as the paper has it; here that is the batch's first image, in the shared forward, where the paper
    draws noise. A layer is a convolution: a batch-norm after it does not change the correlation. A layer with at least
    as many channels as positions adds 0; one with a constant channel has no correlation and is left out.
    """
    smallest = correlations.values.tolist()
    defined = [value for value in smallest if not math.isnan(value)]
    reason = "every convolution has a channel that does not vary over the first image"
    value = math.fsum(defined) if defined else math.nan
    return finite(value, reason, layers=len(defined), skipped=len(smallest) - len(defined))
