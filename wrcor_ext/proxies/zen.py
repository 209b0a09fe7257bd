"""Zen-Score in its authors' form: how sensitive a network with Gaussian weights is to its input."""

from __future__ import annotations

from wrcor_ext.measurements.gaussian_sensitivity import GaussianSensitivity, Sensitivity
from wrcor_ext.proxies.registry import ProxyValue, finite, register


@register("zen", needs=GaussianSensitivity(), paper="Zen-NAS, arXiv 2102.01063", deterministic=False)
def zen(sensitivity: Sensitivity) -> ProxyValue:
    """log of E norm(F(x + 0.01 e) - F(x)), plus the sum over batch-norms of log of the root mean variance.

    Algorithm 1 of the paper, with every weight, x and e from N(0, 1), F the feature map before global pooling and the
    Frobenius norm of each image. One draw of the weights serves a batch of x as large as the batch of images. The
    paper takes shortcuts out of its networks first; those of a network given to us stay.
    """
    reason = "the feature map does not move, or is not finite"
    return finite(sensitivity.distance.log() + sensitivity.log_norm_scale, reason)
