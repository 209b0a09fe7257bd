"""Sign patterns: on how many units two images agree about being active."""

from __future__ import annotations

import torch

from wrcor_ext.proxies.registry import ProxyValue, ResponseSum, log_abs_det, register


@register(
    "naswot",
    aliases=("act_hamming",),
    needs=ResponseSum(frozenset({"activation"}), "hamming"),
    paper="Neural Architecture Search without Training, arXiv 2006.04647",
)
def naswot(k: torch.Tensor) -> ProxyValue:
    """log abs det of the sum over activation responses of B B^T + (1-B)(1-B)^T, B = (A > 0)."""
    return log_abs_det(k)
