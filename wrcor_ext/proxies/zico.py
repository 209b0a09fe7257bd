"""ZiCo: how steady the gradients of the loss are from mini-batch to mini-batch."""

from __future__ import annotations

import math

from torch import Tensor

from wrcor_ext.measurements.gradient_steadiness import GradientSteadiness
from wrcor_ext.proxies.registry import ProxyValue, finite, register


@register("zico", needs=GradientSteadiness(), paper="ZiCo, arXiv 2301.11300")
def zico(ratios: Tensor) -> ProxyValue:
    """Sum over layers of log of the sum over weights of E[abs(g)] / sqrt(Var[abs(g)]), over two mini-batches.

    The paper's definition of ZiCo, with the two mini-batches that its experiments use; here they are the halves of the
    batch. Layers are convolutions and linear layers, the variance is the population's. A weight whose gradient does not
    vary has no ratio and is left out, and so is a layer of such weights only.
    """
    varying = ratios[ratios != 0]
    layers = len(varying)
    reason = "a weight's gradient is not finite" if layers else "no weight's gradient differs between the halves"
    return finite(varying.log().sum() if layers else math.nan, reason, layers=layers)
