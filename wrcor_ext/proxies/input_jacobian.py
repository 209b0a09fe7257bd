"""Input Jacobian: how differently the outputs react to the images' pixels.

J [N, D] is the gradient of the sum of all outputs with respect to the images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from wrcor_ext import ops
from wrcor_ext.measurements.class_jacobian import ClassJacobian
from wrcor_ext.measurements.image_gradient import ImageGradient, ImageGradients
from wrcor_ext.measurements.labels import Labels
from wrcor_ext.proxies.registry import ProxyValue, finite, register

_UNDEFINED = "some image's gradient does not vary: the correlation of the gradients is undefined"
# `epe_score` summarises few and many classes differently.
_MANY_CLASSES = 100


@register("jacob_cor", aliases=("jacob_cov",), needs=ImageGradient(), paper="arXiv 2006.04647v1")
def jacob_cor(j: ImageGradients) -> ProxyValue:
    """-sum(log(v + 1e-5) + 1 / (v + 1e-5)) over the eigenvalues v of corr(J), J the images' gradients.

    corr(J) is symmetric and its eigenvalues real; published code takes them from a solver for any matrix, whose
    results may have an imaginary part.
    """
    if not bool(torch.isfinite(j.correlation).all()):
        return finite(float("nan"), _UNDEFINED)
    v = torch.linalg.eigvalsh(j.correlation) + 1e-5
    return finite(-(v.log() + 1 / v).sum(), _UNDEFINED)


@register("jacob_cor_logdet", needs=ImageGradient(), paper="Weighted Response Correlation, arXiv 2507.08841")
def jacob_cor_logdet(j: ImageGradients) -> ProxyValue:
    """log abs det corr(J), J the images' gradients."""
    sign, logabsdet = ops.slogdet(j.correlation)
    undefined = not bool(torch.isfinite(j.correlation).all())
    reason = _UNDEFINED if undefined else "corr(J) is singular: at least two images have the same gradient"
    return finite(logabsdet, reason, sign=float(sign))


@register("epe_score", needs=(ImageGradient(), Labels()), paper="EPE-NAS, arXiv 2102.08099")
def epe_score(j: ImageGradients, labels: Tensor) -> ProxyValue:
    """Sum over classes of abs(e), e the sum of log(abs(corr) + 1e-5) over the gradients of the class's images.

    With more than 100 classes in the batch, e is divided by the class's size, and the score is the sum over pairs of
    classes of abs(e1 - e2), divided by the number of classes. Counted are the classes that the batch has, as in the
    published values, not those that the network can tell apart.
    """
    if labels.dim() != 1 or labels.is_floating_point():
        return finite(float("nan"), f"labels of shape {tuple(labels.shape)}, {labels.dtype}, are not class indices [N]")
    # Rows correlate in pairs: the correlations of a class's rows are a block of those of all.
    same = labels[:, None] == labels
    logs = torch.where(same, (j.correlation.abs() + 1e-5).log(), 0.0).sum(1)
    present = labels.unique()
    members = (labels == present[:, None]).to(logs.dtype)
    e = members @ logs
    if len(present) <= _MANY_CLASSES:
        return finite(e.abs().sum(), _UNDEFINED)
    e = e / members.sum(1)
    # Every pair is there twice.
    return finite((e[:, None] - e).abs().sum() / 2 / len(present), _UNDEFINED)


@register("resp_sens", needs=ImageGradient(), paper="Weighted Response Correlation, arXiv 2507.08841")
def resp_sens(j: ImageGradients) -> ProxyValue:
    """Response sensitivity: mean of abs(J), J the images' gradients."""
    return finite(j.mean_abs, "a gradient is not finite")


@register("dyn_isometry", needs=ClassJacobian(), paper="arXiv 2307.02263")
def dyn_isometry(values: Tensor) -> ProxyValue:
    """-mean over images of v + exp(-v), v the mean log of the singular values of the classes x pixels Jacobian."""
    v = values.log().mean(1)
    return finite(-(v + (-v).exp()).mean(), "some image's Jacobian has not full rank, or is not finite")
