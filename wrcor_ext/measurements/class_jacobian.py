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
    network has fewer features than classes, the others would be noise.
    """

    backwards = 1
    on = "the images (the backward once per class)"

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
        rows = images.new_empty(images.shape[0], classes, images[0].numel())
        for c, total in enumerate(logits.sum(0)):
            (row,) = torch.autograd.grad(total, images, retain_graph=c + 1 < classes)
            rows[:, c] = row.flatten(1)
        # One image at a time: the copy in float64 would double the memory.
        values = torch.stack([torch.linalg.svdvals(row.double()) for row in rows])
        noise = torch.finfo(rows.dtype).eps * values.shape[1] * values[:, :1]
        return torch.where(values > noise, values, 0.0)
