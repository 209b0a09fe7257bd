"""How steady the gradient of the loss is from one half of the batch to the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.measurements.gradients import gradients
from wrcor_ext.measurements.weight_gradients import NO_WEIGHTS
from wrcor_ext.needs import OwnPasses, Subject, weights_of


@dataclass(frozen=True)
class GradientSteadiness(OwnPasses):
    """Per convolution and linear layer the sum over weights of E[abs(g)] / sqrt(Var[abs(g)]): [layers] float64.

    g is the gradient of the loss of a half, E and Var are the mean and the population's variance over both halves. A
    weight whose gradient does not vary has no ratio and adds 0.

    Each half is a mini-batch of its own, as in training: batch-norms use its statistics, not the whole batch's. Of an
    odd number of images the second half has one more.
    """

    backwards = 1
    on = "the images, in two halves"
    channels_last = True
    needs_labels = True

    @parametrize.cached()
    def measure(self, subject: Subject) -> Tensor:
        """One forward and one backward per half; the gradient is zero where the loss does not depend on a weight."""
        weights = [weight.requires_grad_(True) for weight in weights_of(subject.model)]
        if not weights:
            raise NotApplicableError(NO_WEIGHTS)
        assert subject.labels is not None
        middle = len(subject.images) // 2
        halves = []
        for part in (slice(middle), slice(middle, None)):
            half = replace(subject, images=subject.images[part], labels=subject.labels[part])
            halves.append(gradients(half.loss_of(half.model(half.images)), weights))
        return torch.stack([_ratios(one, other).sum() for one, other in zip(*halves, strict=True)])


def _ratios(one: Tensor, other: Tensor) -> Tensor:
    """Mean over standard deviation of two magnitudes: half their sum and half their distance."""
    first, second = one.double().abs(), other.double().abs()
    distance = (first - second).abs()
    return torch.where(distance == 0, 0.0, (first + second) / distance)
