"""The Jacobian of each image's logits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.needs import OwnPasses, Subject, logits_of


@dataclass(frozen=True)
class ClassJacobian(OwnPasses):
    """Per image the singular values of its Jacobian [classes, D], descending: [N, min(classes, D)] float64.

    Row c of all images' Jacobians is the gradient of the batch's logits of class c, from one backward per class. Holds
    N * classes * D numbers at once. A singular value below the rounding error of the largest one is zero: where a
    network has fewer features than classes, the others would be noise. NaN for a Jacobian that is not finite.
    """

    backwards = 1
    on = "the images (the backward once per class)"
    channels_last = True

    def measure(self, subject: Subject) -> Tensor:
        """One forward, `classes` backwards.

        Raises:
            NotApplicableError: for outputs that are not [N, classes], images that are not floating point.
        """
        if not subject.images.is_floating_point():
            raise NotApplicableError(f"images are {subject.images.dtype}: there is no gradient with respect to them")
        images = subject.images.requires_grad_(True)
        # A leaf of the graph is not the model's to overwrite.
        logits = logits_of(subject.model(images.clone()))
        if logits.dim() != 2 or logits.shape[0] != images.shape[0]:
            raise NotApplicableError(f"outputs of shape {tuple(logits.shape)} are not [N, classes]")
        classes = logits.shape[1]
        rows = images.new_zeros(images.shape[0], classes, images[0].numel())
        for c, total in enumerate(logits.sum(0) if logits.requires_grad else ()):
            (row,) = torch.autograd.grad(
                total, images, retain_graph=c + 1 < classes, allow_unused=True, materialize_grads=True
            )
            rows[:, c] = row.flatten(1)
        # One image at a time: the copy in float64 would double the memory.
        values = torch.stack([_singular_values(row.double()) for row in rows])
        noise = torch.finfo(rows.dtype).eps * values.shape[1] * values[:, :1]
        return torch.where(values <= noise, 0.0, values)


def _singular_values(row: Tensor) -> Tensor:
    # The solver refuses what is not finite.
    return torch.linalg.svdvals(row) if bool(row.isfinite().all()) else row.new_full((min(row.shape),), torch.nan)
