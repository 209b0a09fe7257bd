"""Pruning at initialisation: what a weight contributes, summed over convolutions and linear layers.

w is a weight, g the gradient of the loss with respect to it.
"""

from __future__ import annotations

from torch import Tensor

from wrcor_ext.measurements.channel_saliency import ChannelSaliency
from wrcor_ext.measurements.hessian_gradient import HessianGradient
from wrcor_ext.measurements.synaptic_flow import SynapticFlow
from wrcor_ext.measurements.weight_gradients import WeightGradients, WeightGradientSums
from wrcor_ext.measurements.weights import IsometryGaps, WeightNorms
from wrcor_ext.proxies.registry import ProxyValue, finite, register

_ZERO_COST = "Zero-Cost Proxies for Lightweight NAS, arXiv 2101.08134"
_SYNFLOW = "Pruning neural networks without any data, arXiv 2006.05467"
_GRADIENT = "a weight or its gradient is not finite"
_WEIGHT = "a weight is not finite"
_OVERFLOW = "a weight is not finite, or what flows through the network exceeds the largest float64"


@register("plain", needs=WeightGradients(), paper=_ZERO_COST)
def plain(sums: WeightGradientSums) -> ProxyValue:
    """Sum of w g, g the gradient of the loss with respect to the weight w."""
    return finite(sums.product.sum(), _GRADIENT)


@register("grad_norm", needs=WeightGradients(), paper=_ZERO_COST)
def grad_norm(sums: WeightGradientSums) -> ProxyValue:
    """Sum over layers of the norm of g, the gradient of the loss with respect to the weight."""
    return finite(sums.norm.sum(), _GRADIENT)


@register("l2_norm", needs=WeightNorms(), paper=_ZERO_COST)
def l2_norm(norms: Tensor) -> ProxyValue:
    """Sum over layers of the norm of the weight."""
    return finite(norms, _WEIGHT)


@register("snip", needs=WeightGradients(), paper="SNIP, arXiv 1810.02340")
def snip(sums: WeightGradientSums) -> ProxyValue:
    """Sum of abs(w g), g the gradient of the loss with respect to the weight w."""
    return finite(sums.magnitude.sum(), _GRADIENT)


@register("grasp", needs=HessianGradient(), paper="GraSP, arXiv 2002.07376")
def grasp(product: Tensor) -> ProxyValue:
    """Sum of -w (H g), g the gradient and H the Hessian of the loss with respect to the weights w."""
    return finite(-product, "a weight, its gradient or the Hessian is not finite")


@register("fisher", needs=ChannelSaliency(), paper="BlockSwap, arXiv 1906.04113")
def fisher(saliency: Tensor) -> ProxyValue:
    """Sum over channels of (mean over images of (sum over positions of activation x gradient)^2) / 2 x weights."""
    return finite(saliency, "an activation or its gradient is not finite")


@register("synflow", needs=SynapticFlow(), paper=_SYNFLOW)
def synflow(flow: Tensor) -> ProxyValue:
    """Sum of abs(w g), w the weights' absolute values, g the gradient for an image of ones; without batch-norms.

    In float64: values from 1e8 to 1e80 are usual. A very deep network may exceed 1e308: degenerate, not `inf`.
    """
    return finite(flow, _OVERFLOW)


@register("synflow_bn", needs=SynapticFlow(batch_norms=True), paper=_SYNFLOW)
def synflow_bn(flow: Tensor) -> ProxyValue:
    """`synflow` with batch-norms, which take their statistics from the image of ones.

    To know before use: a batch-norm makes the sum of its outputs a constant, so that most of the gradient cancels. In
    networks that see an image of ones nearly constant, what is left is rounding error, which differs from one
    processor to the next by any factor (NAS-Bench-101 networks: by 10^70). Published code raises an error where a
    batch-norm sees a single value per channel (squeeze-excite): normalised, that is the batch-norm's offset.
    """
    return finite(flow, _OVERFLOW)


@register(
    "layerwise_dyn_isometry",
    needs=IsometryGaps(),
    paper="A Signal Propagation Perspective for Pruning Neural Networks at Initialization, arXiv 1906.06307",
)
def layerwise_dyn_isometry(gaps: Tensor) -> ProxyValue:
    """-sum over layers of the Frobenius norm of W W^T - I, W [out, in * kernel] the weight."""
    return finite(-gaps, _WEIGHT)
