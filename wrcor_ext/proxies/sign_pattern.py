"""Sign patterns: on how many units two images agree about being active."""

from __future__ import annotations

from dataclasses import replace

from wrcor_ext.integer_rank import is_singular
from wrcor_ext.needs import ResponseSum
from wrcor_ext.proxies.registry import ProxyValue, Summed, log_abs_det, register

# NASWOT's kernel on gradient responses as well: measures of the code published with this paper.
_PAPER = "Weighted Response Correlation, arXiv 2507.08841"


def _log_det(summed: Summed) -> ProxyValue:
    """log abs det K. K counts, so that it is singular or not; a floating-point determinant may only be near 0."""
    value = log_abs_det(summed)
    if value.reason is None and is_singular(summed.k):
        return replace(value, reason="the summed matrix is singular: the images' sign patterns are not independent")
    return value


@register(
    "naswot",
    aliases=("act_hamming",),
    needs=ResponseSum(frozenset({"activation"}), "hamming"),
    paper="Neural Architecture Search without Training, arXiv 2006.04647",
)
def naswot(summed: Summed) -> ProxyValue:
    """log abs det of the sum over activation responses of B B^T + (1-B)(1-B)^T, B = (A > 0)."""
    return _log_det(summed)


@register("grad_hamming", needs=ResponseSum(frozenset({"gradient"}), "hamming"), paper=_PAPER)
def grad_hamming(summed: Summed) -> ProxyValue:
    """log abs det of the sum over gradient responses of B B^T + (1-B)(1-B)^T, B = (G > 0)."""
    return _log_det(summed)


@register("act_grad_hamming", needs=ResponseSum(frozenset({"activation", "gradient"}), "hamming"), paper=_PAPER)
def act_grad_hamming(summed: Summed) -> ProxyValue:
    """log abs det of the same sum over activation and gradient responses."""
    return _log_det(summed)
