"""Pruning at initialisation: what a weight contributes to the loss, summed over convolutions and linear layers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from wrcor_ext.measurements.weight_gradients import WeightGradients
from wrcor_ext.proxies.registry import ProxyValue, finite, register

_NOT_FINITE = "a weight or its gradient is not finite"


@register("snip", needs=WeightGradients(), paper="SNIP, arXiv 1810.02340")
def snip(pairs: Sequence[tuple[Tensor, Tensor]]) -> ProxyValue:
    """Sum of abs(w g), g the gradient of the loss with respect to the weight w."""
    return finite(sum(float((w * g).abs().sum()) for w, g in pairs), _NOT_FINITE)
