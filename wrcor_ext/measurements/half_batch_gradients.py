"""The gradients of the loss of each half of the batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.needs import OwnPasses, Subject, weight_layers


@dataclass(frozen=True)
class HalfBatchGradients(OwnPasses):
    """Per convolution and linear layer, the gradients [2, ...] of the losses of the first and the second half.

    Each half is a mini-batch of its own, as in training: batch-norms use its statistics, not the whole batch's. Of an
    odd number of images the second half has one more.
    """

    backwards = 1
    on = "the images, in two halves"
    needs_labels = True

    def measure(self, subject: Subject) -> list[Tensor]:
        """The gradients, in order of `weight_layers`; zero where the loss does not depend on a weight."""
        weights = [layer.weight for layer in weight_layers(subject.model)]
        if not weights:
            raise NotApplicableError(f"{type(subject.model).__name__} has no convolution and no linear layer")
        for weight in weights:
            weight.requires_grad_(True)
        assert subject.labels is not None
        middle = len(subject.images) // 2
        halves = []
        for part in (slice(middle), slice(middle, None)):
            half = replace(subject, images=subject.images[part], labels=subject.labels[part])
            loss = half.loss_of(half.model(half.images))
            halves.append(torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True))
        return [torch.stack(pair) for pair in zip(*halves, strict=True)]
