"""The two proxies of TE-NAS: trainability by the neural tangent kernel, expressivity by linear regions."""

from __future__ import annotations

import torch

from wrcor_ext.measurements.single_images import SingleImageGradients, SingleImages
from wrcor_ext.needs import ResponseSum
from wrcor_ext.proxies.registry import ProxyValue, Summed, finite, register

_PAPER = "TE-NAS, arXiv 2102.11535"


@register("ntk_condition", needs=SingleImageGradients(products=True), paper=_PAPER, higher_is_better=False)
def ntk_condition(images: SingleImages) -> ProxyValue:
    """Largest over smallest eigenvalue of the neural tangent kernel of the batch; lower is better.

    The kernel is that of the images' summed outputs, with respect to all parameters. An entry belongs to two images and
    to no other, so batch-norms take the statistics of the whole batch for constants.
    """
    kernel = images.kernel
    assert kernel is not None
    reason = "the kernel is singular or not finite: at least two images have the same gradients"
    if not bool(torch.isfinite(kernel).all()):  # the solver refuses it
        return finite(float("nan"), reason)
    v = torch.linalg.eigvalsh(kernel)
    # Below that, the smallest eigenvalue is rounding.
    rounding = len(v) * torch.finfo(v.dtype).eps * v[-1]
    return finite(v[-1] / v[0] if v[0] > rounding else float("inf"), reason)


@register("linear_regions", needs=ResponseSum(frozenset({"activation"}), "hamming"), paper=_PAPER)
def linear_regions(summed: Summed) -> ProxyValue:
    """Number of linear regions that the batch's images fall into: of distinct sign patterns over all units.

    At most the number of images, and in networks of ordinary width usually just that: the paper counts over thousands
    of tiny images in networks thinned to a few channels.
    """
    # K counts the units on which two images agree: as many as there are where the patterns are the same.
    same = summed.k == summed.k.diagonal()
    first = same.int().argmax(0)
    regions = int((first == torch.arange(len(first), device=first.device)).sum())
    return ProxyValue(float(regions), None, {"images": len(first)})
