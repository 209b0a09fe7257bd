"""Size and work: the baselines that every proxy has to beat."""

from __future__ import annotations

from wrcor_ext.measurements.cost import MultiplyAdds, ParameterCount
from wrcor_ext.proxies.registry import ProxyValue, register

_PAPER = "NAS-Bench-Suite-Zero, arXiv 2210.03230"


@register("params", needs=ParameterCount(), paper=_PAPER)
def params(parameters: int) -> ProxyValue:
    """Number of parameters."""
    return ProxyValue(float(parameters))


@register("flops", needs=MultiplyAdds(), paper=_PAPER)
def flops(multiply_adds: int) -> ProxyValue:
    """Multiply-adds of one image of the batch's size: convolutions, linear layers, matrix products, attention."""
    return ProxyValue(float(multiply_adds))
