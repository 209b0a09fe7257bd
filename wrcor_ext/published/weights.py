"""`init_net`: how published scripts begin."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.init import kaiming_normal_, xavier_normal_, zeros_

from wrcor_ext.errors import InputError
from wrcor_ext.needs import weight_layers

_DRAWS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda values: values,
    "xavier": xavier_normal_,
    "kaiming": kaiming_normal_,
    "zero": zeros_,
}


def init_net(net: nn.Module, w_type: str, b_type: str) -> None:
    """Draws the weights and biases of convolutions and linear layers anew, in place, from torch's global generator.

    Args:
        net: the network.
        w_type: `"none"` (as they are), `"xavier"` or `"kaiming"` (both normal), `"zero"`.
        b_type: the same for biases, each drawn as a matrix of one row.

    Raises:
        InputError: for another type.
    """
    for given in (w_type, b_type):
        if given not in _DRAWS:
            raise InputError(f"unknown initialisation {given!r}: allowed are {', '.join(map(repr, _DRAWS))}")
    for layer in weight_layers(net):
        _DRAWS[w_type](layer.weight.detach())
        if layer.bias is not None:
            _DRAWS[b_type](layer.bias.detach().unsqueeze(0))
