"""Input Jacobian: how differently the outputs react to the images' pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from wrcor_ext import ops
from wrcor_ext.measurements.image_gradient import ImageGradient
from wrcor_ext.proxies.registry import ProxyValue, finite, register

_UNDEFINED = "some image's gradient does not vary: the correlation of the gradients is undefined"


@register("jacob_cor", aliases=("jacob_cov",), needs=ImageGradient(), paper="arXiv 2006.04647v1")
def jacob_cor(j: Tensor) -> ProxyValue:
    """-sum(log(v + 1e-5) + 1 / (v + 1e-5)) over the eigenvalues v of the correlation of the images' gradients."""
    c = ops.response_correlation(j)
    if not bool(torch.isfinite(c).all()):
        return finite(float("nan"), _UNDEFINED)
    v = torch.linalg.eigvalsh(c) + 1e-5
    return finite(-(v.log() + 1 / v).sum(), _UNDEFINED)
