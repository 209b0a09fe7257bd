"""The gradient of the summed outputs with respect to the images."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from wrcor_ext.needs import Probe, Seen, Subject, Watch


@dataclass(frozen=True)
class ImageGradient(Probe):
    """J [N, D]: the gradient of the sum of all outputs with respect to each image, from one backward.

    Where a network mixes images (batch-norms do), row i is the gradient of the whole batch's outputs.
    """

    image_gradients = True

    def watch(self, subject: Subject) -> Watch:
        """Nothing to watch: the backward is the pass's."""
        return _Watch()


class _Watch(Watch):
    def finish(self, subject: Subject, seen: Seen) -> Tensor:
        assert seen.image_gradient is not None
        return seen.image_gradient.flatten(1)
