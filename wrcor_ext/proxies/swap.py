"""SWAP: how many different ways there are in which a batch's images switch a unit on."""

from __future__ import annotations

import math

from torch import Tensor

from wrcor_ext.measurements.cost import ParameterCount
from wrcor_ext.measurements.sign_codes import DistinctSignCodes
from wrcor_ext.proxies.registry import ProxyValue, register

_PAPER = "SWAP-NAS, arXiv 2403.04161"
_CODES = DistinctSignCodes()

MU = 1.5
"""Favoured size in millions of parameters: about that of NAS-Bench-201's largest networks."""

SIGMA = 1.5
"""How fast the favour fades, in millions of parameters."""


@register("swap", needs=_CODES, paper=_PAPER)
def swap(patterns: Tensor) -> ProxyValue:
    """Number of distinct sample-wise activation patterns: columns of the matrix of signs, images by units.

    The paper's SWAP-Score. Signs are those of activation responses, which for ReLU is whether the unit is on.
    """
    return ProxyValue(float(patterns))


@register("swap_reg", needs=(_CODES, ParameterCount()), paper=_PAPER)
def swap_reg(patterns: Tensor, parameters: int) -> ProxyValue:
    """The same times exp(-(p - mu)^2 / sigma), p the number of parameters in millions.

    The paper's regularised SWAP-Score, whose mu and sigma say what size is wanted; it sets both for each search. Here
    they are `MU` and `SIGMA`, chosen by us, which suits networks of about a million parameters; `regularised` takes
    others.
    """
    return regularised(int(patterns), parameters)


def regularised(patterns: int, parameters: int, mu: float = MU, sigma: float = SIGMA) -> ProxyValue:
    """`swap_reg` for another size. To use it as a proxy, register a function with the needs of `swap_reg`.

    Args:
        patterns: the SWAP-Score.
        parameters: of the network.
        mu: the size that is wanted, in millions of parameters.
        sigma: how fast other sizes lose.
    """
    size = parameters / 1e6
    value = patterns * math.exp(-((size - mu) ** 2) / sigma)
    far = f"{size:.4g} million parameters are too far from mu={mu:g} for sigma={sigma:g}: the factor is 0"
    return ProxyValue(value, None if value > 0 else far, {"patterns": patterns, "mu": mu, "sigma": sigma})
