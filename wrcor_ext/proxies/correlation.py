"""Response correlation: how differently a network responds to the images of a batch (arXiv 2507.08841).

C(x) is the Pearson correlation between the images' responses, A an activation response, G a gradient response.
"""

from __future__ import annotations

from wrcor_ext.needs import ResponseSum
from wrcor_ext.proxies.registry import ProxyValue, Summed, log_abs_det, register

_PAPER = "Weighted Response Correlation, arXiv 2507.08841"
_BOTH = ResponseSum(frozenset({"activation", "gradient"}), "correlation")


@register(
    "wrcor",
    aliases=("act_grad_cor_weighted",),
    needs=ResponseSum(_BOTH.kinds, "correlation", level_weighted=True),
    paper=_PAPER,
)
def wrcor(summed: Summed) -> ProxyValue:
    """log abs det of the sum over levels l and responses i of 2^l (abs(C(A_li)) + abs(C(G_li)))."""
    return log_abs_det(summed)


@register("rcor", aliases=("act_grad_cor",), needs=_BOTH, paper=_PAPER)
def rcor(summed: Summed) -> ProxyValue:
    """log abs det of the sum of abs(C) over activation and gradient responses."""
    return log_abs_det(summed)


@register("acor", aliases=("act_cor",), needs=ResponseSum(frozenset({"activation"}), "correlation"), paper=_PAPER)
def acor(summed: Summed) -> ProxyValue:
    """log abs det of the sum of abs(C(A)) over activation responses."""
    return log_abs_det(summed)


@register("gcor", aliases=("grad_cor",), needs=ResponseSum(frozenset({"gradient"}), "correlation"), paper=_PAPER)
def gcor(summed: Summed) -> ProxyValue:
    """log abs det of the sum of abs(C(G)) over gradient responses."""
    return log_abs_det(summed)
