"""What the gradients of single images say: whether their signs agree, and how alike they are.

Batch-norms are frozen at the batch's statistics. Where all parameters are those of ordinary layers, one backward of the
batch gives the gradients of all images; elsewhere the images run one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.measurements.frozen_norms import FrozenNorms
from wrcor_ext.measurements.gradients import gradients
from wrcor_ext.measurements.layer_gradients import LayerGradients
from wrcor_ext.needs import OwnPasses, Subject, logits_of

# Values of the images' gradients that are held at once: 512 MiB in float32.
_HELD_VALUES = 2**27
# Columns whose products are summed at once, in float64: 2 MiB for 64 images, which a processor's cache holds.
_CHUNK = 2**12
# Cosine of two gradients that are the same but for rounding, and for units that it switches on or off.
_SAME = 0.999

_Scalar = Callable[[Subject, object], Tensor]


@dataclass(frozen=True)
class SingleImages:
    """What is kept of the gradients of single images: what was asked for, else None.

    Attributes:
        agreement: sum over parameters of the absolute value of the sum over images of the sign of the gradient of the
            image's own loss, a float64 scalar; NaN if a gradient is not finite.
        kernel: the neural tangent kernel [N, N] float64: products of the gradients of each image's summed outputs.
    """

    agreement: Tensor | None
    kernel: Tensor | None


@dataclass(frozen=True)
class SingleImageGradients(OwnPasses):
    """`SingleImages`, from one forward, and one backward for each of the two.

    Holds 512 MiB of gradients at once, in float32, beside what a forward and a backward of the batch hold. Image after
    image, where that is necessary, it holds one image's pass; the kernel is then summed over groups of parameters, each
    with forwards and backwards of its own, if the gradients of all images exceed that bound.

    Attributes:
        signs: whether `agreement` is wanted.
        products: whether `kernel` is wanted.
    """

    signs: bool = False
    products: bool = False

    on = "the images, gradients image by image"
    channels_last = True

    @property
    def backwards(self) -> int:  # type: ignore[override]
        """One for each of the two."""
        return self.signs + self.products

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        """Whether there is a loss."""
        return self.signs

    def merged(self, other: OwnPasses) -> SingleImageGradients | None:
        """Both from one forward."""
        if not isinstance(other, SingleImageGradients):
            return None
        return SingleImageGradients(self.signs or other.signs, self.products or other.products)

    def measure(self, subject: Subject) -> SingleImages:
        """In one pass if possible.

        Raises:
            NotApplicableError: for a model without parameters, or without logits if products are wanted.
        """
        parameters = [p for p in subject.model.parameters() if p.is_floating_point()]
        if not parameters:
            raise NotApplicableError(f"{type(subject.model).__name__} has no parameters")
        signs = _Signs(parameters) if self.signs else None
        products = _Products(subject) if self.products else None
        if not _at_once(subject, parameters, [taker for taker in (signs, products) if taker is not None]):
            singly = _Singly(subject)
            signs = _Signs(parameters).of(singly) if self.signs else None
            products = _Products(subject).of(singly, parameters) if self.products else None
        return SingleImages(None if signs is None else signs.agreement(), None if products is None else products.kernel)


class _Signs:
    """Adds up the signs of the gradients of the images' losses."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        # Of 512 images at most.
        self._sums = {p: torch.zeros(p.numel(), dtype=torch.int16, device=p.device) for p in parameters}
        self._finite = torch.ones((), dtype=torch.bool, device=parameters[0].device)

    @staticmethod
    def scalar(subject: Subject, output: object) -> Tensor:
        """The loss; that of a batch has a positive multiple of each image's gradient."""
        return subject.loss_of(output)

    def take(self, parameter: nn.Parameter, first: int, block: Tensor) -> None:
        """Gradients [images, values] of the parameter from its value `first` on."""
        self._sums[parameter][first : first + block.shape[1]] += block.sign().sum(0).to(torch.int16)
        self._finite &= block.sum().isfinite()

    def of(self, singly: _Singly) -> _Signs:
        """Takes the gradients image by image."""
        for row in singly.gradients(list(self._sums), self.scalar):
            for parameter, part in zip(self._sums, row.split([p.numel() for p in self._sums]), strict=True):
                self.take(parameter, 0, part[None])
        return self

    def agreement(self) -> Tensor:
        """The sum of absolute sums, float64."""
        total = torch.stack([sums.abs().sum(dtype=torch.int64) for sums in self._sums.values()]).sum().double()
        return torch.where(self._finite, total, torch.nan)


class _Products:
    """Adds up the products of the gradients of the images' summed outputs.

    Attributes:
        kernel: [N, N] float64.
    """

    def __init__(self, subject: Subject) -> None:
        n = len(subject.images)
        self.kernel = torch.zeros(n, n, dtype=torch.float64, device=subject.images.device)

    @staticmethod
    def scalar(subject: Subject, output: object) -> Tensor:
        """The sum of all outputs."""
        return logits_of(output).sum()

    def take(self, parameter: nn.Parameter, first: int, block: Tensor) -> None:
        """Gradients [N, values]."""
        for chunk in block.split(_CHUNK, 1):
            exact = chunk.double()
            self.kernel += exact @ exact.T

    def of(self, singly: _Singly, parameters: Sequence[nn.Parameter]) -> _Products:
        """Takes the gradients image by image, of so many parameters at a time as can be held."""
        images = len(self.kernel)
        for group in _groups(parameters, _HELD_VALUES // images):
            rows = group[0].new_empty(images, sum(parameter.numel() for parameter in group))
            for row, gradient in zip(rows, singly.gradients(group, self.scalar), strict=True):
                row.copy_(gradient)
            self.take(group[0], 0, rows)
        return self


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


def _at_once(subject: Subject, parameters: Sequence[nn.Parameter], takers: Sequence[_Signs | _Products]) -> bool:
    """Hands the gradients of all images to each taker, from one forward and a backward each; whether that is possible.

    It is if the first image has the same gradient alone: no other image takes part in it.
    """
    images = len(subject.images)
    for parameter in parameters:
        parameter.requires_grad_(True)
    layers = LayerGradients(parameters, images, _HELD_VALUES)
    with layers:
        output = subject.model(subject.images)
    of_first: dict[nn.Parameter, Tensor] = {}

    def watched(parameter: nn.Parameter, first: int, block: Tensor) -> None:
        of_first.setdefault(parameter, parameter.new_zeros(parameter.numel()))[first : first + block.shape[1]] = block[
            0
        ]
        takers[0].take(parameter, first, block)

    for taker in takers:
        take = watched if taker is takers[0] else taker.take
        if not layers.backward(taker.scalar(subject, output), take, retain_graph=taker is not takers[-1]):
            return False
    found = torch.cat([of_first.get(p, p.new_zeros(p.numel())) for p in parameters]).double()
    alone = next(_Singly(subject, layers.statistics).gradients(parameters, takers[0].scalar)).double()
    return bool(found @ alone >= _SAME * found.norm() * alone.norm()) or not bool((found - alone).isfinite().all())


class _Singly:
    """Runs the images one after the other, with the statistics of their batch.

    Args:
        subject: model and batch.
        statistics: of the batch-norms, if they are known.
    """

    def __init__(self, subject: Subject, statistics: Sequence[tuple[Tensor, Tensor]] | None = None) -> None:
        self._subject = subject
        self._norms = FrozenNorms()
        if statistics is None:
            with self._norms, torch.no_grad():
                subject.model(subject.images)
        else:
            self._norms.statistics.extend(statistics)

    def gradients(self, parameters: Sequence[nn.Parameter], scalar: _Scalar) -> Iterator[Tensor]:
        """Image by image the gradient [P] of `scalar(subject of one image, its output)`.

        Zero where it does not depend on a parameter.
        """
        for parameter in self._subject.model.parameters():
            parameter.requires_grad_(False)
        for parameter in parameters:
            parameter.requires_grad_(True)
        images, labels = self._subject.images, self._subject.labels
        for i in range(len(images)):
            part = slice(i, i + 1)
            one = replace(self._subject, images=images[part], labels=None if labels is None else labels[part])
            self._norms.restart()
            with self._norms:
                value = scalar(one, one.model(one.images))
            yield torch.cat([gradient.flatten() for gradient in gradients(value, parameters)])
