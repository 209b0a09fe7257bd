"""What flows through a network of positive weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.measurements.norms import NormsAsIdentity
from wrcor_ext.measurements.weight_gradients import NO_WEIGHTS
from wrcor_ext.needs import OwnPasses, Subject, logits_of, weight_layers, weights_of


@dataclass(frozen=True)
class SynapticFlow(OwnPasses):
    """Sum over convolutions and linear layers of abs(w g), a float64 scalar.

    g is the gradient of the sum of all outputs for one image of ones, everything in float64 and all parameters
    replaced by their absolute values.

    Attributes:
        batch_norms: whether batch-norms are there, with the statistics of the image; if not, they hand their input on.
    """

    batch_norms: bool = False
    backwards = 1
    on = "one image of ones"

    @parametrize.cached()
    def measure(self, subject: Subject) -> Tensor:
        """One forward, one backward.

        Raises:
            NotApplicableError: without weights, or for images that are not floating point.
        """
        if not subject.images.is_floating_point():
            raise NotApplicableError(f"images are {subject.images.dtype}: an image of ones means nothing there")
        if not weight_layers(subject.model):
            raise NotApplicableError(NO_WEIGHTS)
        # A batch-norm behind a global pooling wants two values. Two equal images have the statistics of one, and each
        # the gradients that it would have alone.
        copies = 2 if self.batch_norms and any(isinstance(m, _BatchNorm) for m in subject.model.modules()) else 1
        ones = subject.images.new_ones((copies, *subject.images.shape[1:]), dtype=torch.float64)
        with _positive(subject.model), nullcontext() if self.batch_norms else NormsAsIdentity():
            weights = [weight.requires_grad_(True) for weight in weights_of(subject.model)]
            total = logits_of(subject.model(ones)).sum()
            zero = torch.zeros((), dtype=torch.float64, device=total.device)
            if not total.requires_grad:
                return zero
            gradients: Sequence[Tensor | None] = torch.autograd.grad(total, weights, allow_unused=True)
            terms = [(w.detach() * g).abs().sum() for w, g in zip(weights, gradients, strict=True) if g is not None]
        return torch.stack([zero, *terms]).sum() / copies


@contextmanager
def _positive(model: nn.Module) -> Iterator[None]:
    """Absolute values in float64 as parameters; on leaving they have the memory that they had, untouched.

    Buffers become float64, too; putting them back is the business of `preserved`.
    """
    held = [(parameter, parameter.data) for parameter in model.parameters()]
    try:
        for parameter, values in held:
            parameter.data = values.abs().double()
        for module in model.modules():
            for name, buffer in module._buffers.items():
                if buffer is not None and buffer.is_floating_point():
                    module._buffers[name] = buffer.double()
        yield
    finally:
        for parameter, values in held:
            parameter.data = values
