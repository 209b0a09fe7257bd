"""What the gradients of single images say: whether their signs agree, and how alike they are.

One image after the other, with batch-norms frozen at the batch's statistics: this works for every model, and needs no
more memory than one image's pass beside the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.measurements.frozen_norms import FrozenNorms
from wrcor_ext.measurements.gradients import gradients
from wrcor_ext.needs import OwnPasses, Subject, logits_of

# Values of the images' gradients that are held at once: 512 MiB in float32.
_HELD_VALUES = 2**27
# Columns whose products are summed at once, in float64: 2 MiB for 64 images, which a processor's cache holds.
_CHUNK = 2**12


@dataclass(frozen=True)
class GradientSigns(OwnPasses):
    """Sum over parameters of the absolute value of the sum over images of the sign of the image's gradient: an `int`.

    The gradient is that of the image's own loss.
    """

    forwards = 2
    backwards = 1
    on = "the images, the second time one by one"
    needs_labels = True

    def measure(self, subject: Subject) -> int:
        """Sums the signs."""
        agreement: Tensor | None = None
        for gradient in _gradients(subject, _parameters(subject.model), _own_loss):
            if agreement is None:
                agreement = torch.zeros_like(gradient, dtype=torch.int16)  # of 512 images at most
            if not bool(torch.isfinite(gradient).all()):
                raise NotApplicableError("the gradient of an image's loss is not finite: it has no sign")
            agreement += gradient.sign().to(agreement.dtype)
        assert agreement is not None
        return int(agreement.abs().sum(dtype=torch.int64))


@dataclass(frozen=True)
class TangentKernel(OwnPasses):
    """The neural tangent kernel [N, N] float64 of the batch: products of gradients of each image's summed outputs.

    Where the gradients of all images do not fit into 512 MiB, it is summed over groups of parameters, each with a
    forward and a backward of its own.
    """

    forwards = 2
    backwards = 1
    on = "the images, the second time one by one"

    def measure(self, subject: Subject) -> Tensor:
        """Sums the products of gradients."""
        images = len(subject.images)
        kernel = torch.zeros(images, images, dtype=torch.float64, device=subject.images.device)
        for group in _groups(_parameters(subject.model), _HELD_VALUES // images):
            jacobian = subject.images.new_empty(images, sum(parameter.numel() for parameter in group))
            for row, gradient in zip(jacobian, _gradients(subject, group, _summed_outputs), strict=True):
                row.copy_(gradient)
            for chunk in jacobian.split(_CHUNK, 1):
                exact = chunk.double()
                kernel += exact @ exact.T
        return kernel


def _own_loss(one: Subject, output: object) -> Tensor:
    return one.loss_of(output)


def _summed_outputs(one: Subject, output: object) -> Tensor:
    return logits_of(output).sum()


def _parameters(model: nn.Module) -> list[nn.Parameter]:
    parameters = [p for p in model.parameters() if p.is_floating_point()]
    if not parameters:
        raise NotApplicableError(f"{type(model).__name__} has no parameters")
    return parameters


def _groups(parameters: Sequence[nn.Parameter], values: int) -> list[list[nn.Parameter]]:
    """Consecutive parameters of at most so many values together; a larger one alone."""
    groups: list[list[nn.Parameter]] = []
    size = 0
    for parameter in parameters:
        if not groups or size + parameter.numel() > values:
            groups.append([])
            size = 0
        groups[-1].append(parameter)
        size += parameter.numel()
    return groups


def _gradients(
    subject: Subject, parameters: Sequence[nn.Parameter], scalar: Callable[[Subject, object], Tensor]
) -> Iterator[Tensor]:
    """Image by image the gradient [P] of `scalar(subject of one image, its output)` with respect to `parameters`.

    Zero where it does not depend on a parameter.
    """
    for parameter in subject.model.parameters():
        parameter.requires_grad_(False)
    norms = FrozenNorms()
    with norms, torch.no_grad():
        subject.model(subject.images)
    for parameter in parameters:
        parameter.requires_grad_(True)
    for i in range(len(subject.images)):
        part = slice(i, i + 1)
        labels = None if subject.labels is None else subject.labels[part]
        one = replace(subject, images=subject.images[part], labels=labels)
        norms.restart()
        with norms:
            value = scalar(one, one.model(one.images))
        yield torch.cat([gradient.flatten() for gradient in gradients(value, parameters)])
