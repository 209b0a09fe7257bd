"""Which torch functions are activation functions, and whether a given call works in place."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

# The elementwise part of torch.nn's "Non-linear Activations (weighted sum, nonlinearity)", in their functional names.
NAMES = (
    "celu",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
)


class _Call:
    """How one function takes its in-place wish: always, through an argument called `inplace`, or never."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.always_in_place = name.endswith("_")
        self.inplace_position: int | None = None
        try:
            parameters = list(inspect.signature(function).parameters)
        except ValueError:
            return  # a builtin: none of those has an `inplace` argument
        if "inplace" in parameters:
            self.inplace_position = parameters.index("inplace")

    def in_place(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        if self.always_in_place or self.inplace_position is None:
            return self.always_in_place
        if "inplace" in kwargs:
            return bool(kwargs["inplace"])
        return len(args) > self.inplace_position and bool(args[self.inplace_position])


@functools.cache
def _calls() -> dict[Callable[..., Any], _Call]:
    table = {}
    for owner in (F, torch, torch.Tensor):
        for name in NAMES:
            for spelling in (name, f"{name}_"):
                function = getattr(owner, spelling, None)
                if function is not None:
                    table[function] = _Call(function, spelling)
    return table


def is_activation(function: Callable[..., Any]) -> bool:
    """Whether a function seen by a torch function mode is an activation function."""
    return function in _calls()


def works_in_place(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether this call of an activation function overwrites its input."""
    return _calls()[function].in_place(args, kwargs)
