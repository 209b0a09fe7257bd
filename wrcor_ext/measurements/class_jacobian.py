"""The Jacobian of each image's logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wrcor_ext.needs import Probe, Seen, Skipped, Subject, Watch, logits_of

# Values of Jacobians that are held at once: 1 GiB in float32.
_HELD_VALUES = 2**28


@dataclass(frozen=True)
class ClassJacobian(Probe):
    """Per image the singular values of its Jacobian [classes, D], descending: [N, min(classes, D)] float64.

    Row c of all images' Jacobians is the gradient of the batch's logits of class c, from a backward through the shared
    forward for each class but the last: its row is what is missing from the gradient of the summed logits.

    A singular value below the rounding error of the largest one is zero: where a network has fewer features than
    classes, the others would be noise. NaN for a Jacobian that is not finite.

    Holds 1 GiB of Jacobians at once, in float32, or one image's: where all N * classes * D values are more, the images
    are taken in groups, each with backwards of the whole batch.
    """

    image_gradients = True
    class_gradients = True

    def watch(self, subject: Subject) -> Watch:
        """Runs backwards of its own."""
        return _Watch()


class _Watch(Watch):
    def __init__(self) -> None:
        super().__init__()
        self._values: list[Tensor] = []
        self._noise = 0.0

    def each_class(self, logits: Tensor, images: Tensor, total: Tensor) -> None:
        if logits.dim() != 2 or len(logits) != len(images):
            return
        classes = logits.shape[1]
        # Of the coarser type: under autocast, that of the logits.
        self._noise = max(torch.finfo(x.dtype).eps for x in (logits, images)) * min(classes, images[0].numel())
        sums = logits.sum(0).unbind() if logits.requires_grad else ()
        held = max(1, _HELD_VALUES // (classes * images[0].numel()))
        for first in range(0, len(images), held):
            group = slice(first, first + held)
            rows = images.new_zeros(len(images[group]), classes, images[0].numel())
            for c, of_class in enumerate(sums[:-1]):
                (row,) = torch.autograd.grad(
                    of_class, images, retain_graph=True, allow_unused=True, materialize_grads=True
                )
                rows[:, c] = row[group].flatten(1)
            # One image at a time: the copy in float64 would double the memory.
            self._values += [_singular_values(row, all_) for row, all_ in zip(rows, total[group], strict=True)]

    def finish(self, subject: Subject, seen: Seen) -> Tensor | Skipped:
        if not self._values:
            if seen.image_gradient is None and not subject.images.is_floating_point():
                return Skipped(f"images are {subject.images.dtype}: there is no gradient with respect to them")
            return Skipped(f"outputs of shape {tuple(logits_of(seen.output).shape)} are not [N, classes]")
        values = torch.stack(self._values)
        return torch.where(values <= self._noise * values[:, :1], 0.0, values)


def _singular_values(rows: Tensor, total: Tensor) -> Tensor:
    """Of rows [classes, D], the last of which is to be what the others lack of the total."""
    jacobian = rows.double()
    jacobian[-1] = total.flatten().double() - jacobian[:-1].sum(0)
    finite = bool(jacobian.isfinite().all())
    # The solver refuses what is not.
    return torch.linalg.svdvals(jacobian) if finite else jacobian.new_full((min(jacobian.shape),), torch.nan)
