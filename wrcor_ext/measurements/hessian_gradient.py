"""The Hessian of the loss times its gradient, with respect to the weights of convolutions and linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrize

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.measurements.second_derivatives import SecondDerivatives
from wrcor_ext.measurements.weight_gradients import NO_WEIGHTS
from wrcor_ext.needs import OwnPasses, Subject, weights_of


@dataclass(frozen=True)
class HessianGradient(OwnPasses):
    """Sum over convolutions and linear layers of w (H g), a float64 scalar: g the gradient, H the Hessian of the loss.

    The derivative of g . g' along the weights, where g' is g seen as a constant: a backward through the backward.
    """

    needs_labels = True
    backwards = 2
    channels_last = True

    @parametrize.cached()
    def measure(self, subject: Subject) -> Tensor:
        """One forward, one backward with a graph, one through it."""
        weights = [weight.requires_grad_(True) for weight in weights_of(subject.model)]
        if not weights:
            raise NotApplicableError(NO_WEIGHTS)
        derivatives = SecondDerivatives(weights[0].device)
        # Of the ways to compute attention, the plain one alone can be differentiated twice.
        with sdpa_kernel(SDPBackend.MATH), derivatives:
            loss = subject.loss_of(subject.model(subject.images))
        zero = torch.zeros((), dtype=torch.float64, device=loss.device)
        if not loss.requires_grad:
            return zero
        first: Sequence[Tensor | None] = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
        used = [(w, g) for w, g in zip(weights, first, strict=True) if g is not None and g.requires_grad]
        if not used:
            return zero
        product = torch.stack([(g * g.detach()).sum() for _, g in used]).sum()
        second: Sequence[Tensor | None] = torch.autograd.grad(product, [w for w, _ in used], allow_unused=True)
        pairs = [(w.detach(), h) for (w, _), h in zip(used, second, strict=True) if h is not None]
        return torch.stack([derivatives.along_weights, *((w * h).sum(dtype=torch.float64) for w, h in pairs)]).sum()
