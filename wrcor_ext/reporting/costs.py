"""What candidates cost, for people: by the names that options and files have for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wrcor_ext.reporting import numbers


@dataclass(frozen=True)
class CostName:
    """One kind of cost.

    Attributes:
        title: heading of a column.
        axis: title of an axis, with the unit.
        text: how a value is written, None as a dash.
    """

    title: str
    axis: str
    text: Callable[[float | None], str]


COSTS = {
    "flops": CostName("FLOPs", "FLOPs", numbers.short),
    "params": CostName("parameters", "parameters", numbers.short),
    "memory": CostName("memory", "peak memory in bytes", numbers.size),
    "layers": CostName("layers", "layers", numbers.count),
    "latency": CostName("latency", "latency in ms", numbers.milliseconds),
}


def title(name: str) -> str:
    """The heading of a cost, or the name itself where it is that of a score."""
    return COSTS[name].title if name in COSTS else name


def text(name: str, value: float | None) -> str:
    """A value of that cost, or of the score of that name."""
    return COSTS[name].text(value) if name in COSTS else numbers.score(value)
