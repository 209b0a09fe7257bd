"""GradSign: whether single images pull the parameters in the same direction."""

from __future__ import annotations

from wrcor_ext.measurements.single_images import SingleImageGradients, SingleImages
from wrcor_ext.proxies.registry import ProxyValue, finite, register


@register("gradsign", needs=SingleImageGradients(signs=True), paper="GradSign, arXiv 2110.08616")
def gradsign(images: SingleImages) -> ProxyValue:
    """Sum over parameters of abs of the sum over images of the sign of the image's gradient of its loss.

    The paper's GradSign, over all parameters. It needs a gradient for each image alone, so batch-norms take the
    statistics of the whole batch for constants.
    """
    assert images.agreement is not None
    return finite(images.agreement, "the gradient of an image's loss is not finite: it has no sign")
