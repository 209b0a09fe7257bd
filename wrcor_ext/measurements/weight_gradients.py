"""The gradients of the loss with respect to the weights of convolutions and linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from wrcor_ext.needs import Probe, Seen, Skipped, Subject, Watch, weights_of

NO_WEIGHTS = "the model has no convolution and no linear layer"


@dataclass(frozen=True)
class WeightGradientSums:
    """Per convolution and linear layer, w its weight and g the gradient: [layers] float64, on the model's device.

    Attributes:
        product: sum of w g.
        magnitude: sum of abs(w g).
        norm: norm of g.
    """

    product: Tensor
    magnitude: Tensor
    norm: Tensor


@dataclass(frozen=True)
class WeightGradients(Probe):
    """`WeightGradientSums`, from the backward of the loss."""

    divides = True
    weight_gradients = True

    def watch(self, subject: Subject) -> Watch:
        """Nothing to watch: the backward is the pass's."""
        return _Watch()


class _Watch(Watch):
    def finish(self, subject: Subject, seen: Seen) -> WeightGradientSums | Skipped:
        weights = weights_of(subject.model)
        if not weights:
            return Skipped(NO_WEIGHTS)
        assert seen.weight_gradients is not None
        sums = [_sums_of(weight.detach(), g) for weight, g in zip(weights, seen.weight_gradients, strict=True)]
        return WeightGradientSums(*(torch.stack(column) for column in zip(*sums, strict=True)))


def _sums_of(weight: Tensor, gradient: Tensor) -> Sequence[Tensor]:
    product = weight * gradient
    double = torch.float64
    return product.sum(dtype=double), product.abs().sum(dtype=double), torch.linalg.vector_norm(gradient, dtype=double)
