"""Small tools that measures of the user's are written with, by their published names."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from wrcor_ext.needs import WeightLayer, weight_layers


def get_layer_metric_array(
    net: nn.Module, metric: Callable[[WeightLayer], Tensor], mode: str = "param"
) -> list[Tensor]:
    """`metric` of each convolution and linear layer, in order of `modules()`.

    Args:
        net: the network.
        metric: of a layer.
        mode: accepted for scripts that give it; all layers count.
    """
    return [metric(layer) for layer in weight_layers(net)]


def count_parameters(model: nn.Module) -> int:
    """The number of parameters that take part in training."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
