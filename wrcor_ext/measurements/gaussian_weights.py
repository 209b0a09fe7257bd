"""A network with random weights in place of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from wrcor_ext.needs import weight_layers, weights_of


@contextmanager
def gaussian_weights(model: nn.Module) -> Iterator[None]:
    """Weights of convolutions and linear layers from N(0, 1), batch-norms at 1 and 0, no bias; its own come back.

    They are drawn from the global generator, in the order of `weight_layers`. The model's own values are set aside, not
    copied.
    """
    own = [(parameter, parameter.data) for parameter in model.parameters()]
    try:
        for layer, weight in zip(weight_layers(model), weights_of(model), strict=True):
            weight.data = torch.randn_like(weight)
            _fill(layer.bias, 0.0)
        for norm in model.modules():
            if isinstance(norm, _BatchNorm):
                _fill(norm.weight, 1.0)
                _fill(norm.bias, 0.0)
        yield
    finally:
        for parameter, values in own:
            parameter.data = values


def _fill(parameter: Tensor | None, value: float) -> None:
    if parameter is not None:
        parameter.data = torch.full_like(parameter, value)
