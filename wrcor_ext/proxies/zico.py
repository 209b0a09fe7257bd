"""ZiCo: how steady the gradients of the loss are from mini-batch to mini-batch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from wrcor_ext.measurements.half_batch_gradients import HalfBatchGradients
from wrcor_ext.proxies.registry import ProxyValue, finite, register


@register("zico", needs=HalfBatchGradients(), paper="ZiCo, arXiv 2301.11300")
def zico(gradients: Sequence[Tensor]) -> ProxyValue:
    """Sum over layers of log of the sum over weights of E[abs(g)] / sqrt(Var[abs(g)]), over two mini-batches.

    The paper's definition of ZiCo, with the two mini-batches that its experiments use; here they are the halves of the
    batch. Layers are convolutions and linear layers, the variance is the population's. A weight whose gradient does not
    vary has no ratio and is left out, and so is a layer of such weights only.
    """
    layers = 0
    total = 0.0
    for pair in gradients:
        first, second = pair.double().abs()
        # Mean and standard deviation of two numbers are half their sum and half their distance.
        distance = (first - second).abs()
        ratios = torch.where(distance > 0, (first + second) / distance, 0)
        summed = float(ratios.sum())
        if summed != 0:
            layers += 1
            total += math.log(summed)
    reason = "a weight's gradient is not finite" if layers else "no weight's gradient differs between the halves"
    return finite(total if layers else math.nan, reason, layers=layers)
