"""The gradient of the summed outputs with respect to the images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wrcor_ext import ops
from wrcor_ext.needs import Probe, Seen, Skipped, Subject, Watch, logits_of


@dataclass(frozen=True)
class ImageGradients:
    """What is kept of J [N, D], on the model's device.

    Attributes:
        correlation: corr(J) [N, N] float64; NaN in the row and column of an image whose gradient does not vary.
        mean_abs: the mean of abs(J), float64.
    """

    correlation: Tensor
    mean_abs: Tensor


@dataclass(frozen=True)
class ImageGradient(Probe):
    """`ImageGradients` of J [N, D]: the gradient of the sum of all outputs with respect to each image, one backward.

    Where a network mixes images (batch-norms do), row i is the gradient of the whole batch's outputs.
    """

    divides = True
    image_gradients = True

    def watch(self, subject: Subject) -> Watch:
        """Nothing to watch: the backward is the pass's."""
        return _Watch()


class _Watch(Watch):
    def finish(self, subject: Subject, seen: Seen) -> ImageGradients | Skipped:
        if seen.image_gradient is None:
            logits_of(seen.output)  # or it says that there are none
            return Skipped(f"images are {subject.images.dtype}: there is no gradient with respect to them")
        j = seen.image_gradient.flatten(1)
        return ImageGradients(ops.response_correlation(j), j.abs().mean(dtype=torch.float64))
