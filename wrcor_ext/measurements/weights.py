"""The weights of convolutions and linear layers: no pass is needed to look at them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.measurements.weight_gradients import NO_WEIGHTS
from wrcor_ext.needs import OwnPasses, Subject, WeightLayer, weight_layers


@dataclass(frozen=True)
class WeightNorms(OwnPasses):
    """Sum over layers of the norm of the weight, a float64 scalar."""

    forwards = 0
    on = "the weights"

    def measure(self, subject: Subject) -> Tensor:
        """Looks at the weights."""
        norms = [torch.linalg.vector_norm(layer.weight, dtype=torch.float64) for layer in _layers(subject)]
        return torch.stack(norms).sum()


@dataclass(frozen=True)
class IsometryGaps(OwnPasses):
    """Sum over layers of the Frobenius norm of W W^T - I, W [out, in * kernel], a float64 scalar."""

    forwards = 0
    on = "the weights"

    def measure(self, subject: Subject) -> Tensor:
        """One product per layer, in float64."""
        return torch.stack([_gap(layer.weight.double().flatten(1)) for layer in _layers(subject)]).sum()


def _gap(w: Tensor) -> Tensor:
    """The norm of W W^T - I from the smaller of W W^T and W^T W: both have the same eigenvalues but for zeros."""
    rows, columns = w.shape
    gram = w @ w.T if rows <= columns else w.T @ w
    gram.diagonal().sub_(1)
    return (gram.square().sum() + max(0, rows - columns)).sqrt()


def _layers(subject: Subject) -> list[WeightLayer]:
    layers = weight_layers(subject.model)
    if not layers:
        raise NotApplicableError(NO_WEIGHTS)
    return layers


def largest_parameter(model: nn.Module) -> Tensor:
    """The largest magnitude of any parameter, a scalar on its device; NaN and infinity show."""
    parameters = [p.detach() for p in model.parameters() if p.is_floating_point() and p.numel()]
    return get_total_norm(parameters, norm_type=math.inf)
