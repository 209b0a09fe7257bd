"""Measures that users write for the published package: functions of (net, inputs, targets, ...)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from wrcor_ext.measurements.norms import NormsAsIdentity
from wrcor_ext.needs import OwnPasses, Subject
from wrcor_ext.proxies.registry import ProxyValue, finite, register

Function = Callable[..., Any]


@dataclass(frozen=True, eq=False)  # each function is a need of its own
class UserMeasure(OwnPasses):
    """A function's own look at the network.

    Attributes:
        function: called as function(net, inputs, targets, loss_fn=..., split_data=1, **arguments).
        bn: whether batch-norms take part; otherwise they hand their input on.
        copy_net: whether it gets a copy of the network.
        arguments: its own.
    """

    function: Function
    bn: bool
    copy_net: bool
    arguments: Mapping[str, Any]

    backwards = 1
    on = "whatever the function likes"
    needs_labels = True

    def measure(self, subject: Subject) -> float:
        """What the function returns, added up."""
        net = copy.deepcopy(subject.model) if self.copy_net else subject.model
        # As a network comes from its constructor, which is how such functions know it.
        net.train()
        net.requires_grad_(True)
        with nullcontext() if self.bn else NormsAsIdentity():
            found = self.function(
                net, subject.images, subject.labels, loss_fn=subject.loss, split_data=1, **self.arguments
            )
        return _total(found)


def register_measure(name: str, function: Function, *, bn: bool, copy_net: bool, arguments: Mapping[str, Any]) -> None:
    """Makes a proxy of a function.

    Raises:
        ValueError: if the name is taken.
    """

    def total(value: float) -> ProxyValue:
        return finite(value, "the function returned a number that is not finite")

    total.__doc__ = function.__doc__ or "A measure of the user's."
    register(name, needs=UserMeasure(function, bn, copy_net, arguments), paper=function.__module__)(total)


def _total(found: Any) -> float:
    """A number, or the sum over tensors, one per layer."""
    if isinstance(found, Tensor):
        return float(found.detach().sum())
    return sum(map(_total, found)) if isinstance(found, (list, tuple)) else float(found)
