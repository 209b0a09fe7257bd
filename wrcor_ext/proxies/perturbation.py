"""Perturbation: how far the feature map before global pooling moves with a little noise on the input.

F is that feature map, e and e' are standard normal noise. Nothing here needs labels; half of it needs no images either,
only their shape. Without batch-norms F of a deep network may leave the range of float32: the value is degenerate then.
"""

from __future__ import annotations

from torch import Tensor

from wrcor_ext.measurements.perturbation import NoisyViews, Perturbation, PerturbedFeatures
from wrcor_ext.proxies.registry import ProxyValue, finite, register

_ZEN = "Zen-NAS, arXiv 2102.01063"
_WRCOR = "Weighted Response Correlation, arXiv 2507.08841"
_BARLOW = "Barlow Twins, arXiv 2103.03230"

_OVERFLOW = "the feature map before global pooling is not finite"
_NO_STATISTICS = "a batch-norm keeps no running statistics (track_running_stats=False)"

_NOISE, _NOISE_WITHOUT_NORMS = PerturbedFeatures("noise"), PerturbedFeatures("noise", norms=False)
_IMAGES, _IMAGES_WITHOUT_NORMS = PerturbedFeatures("images"), PerturbedFeatures("images", norms=False)


@register("phi_score", needs=_NOISE_WITHOUT_NORMS, paper=_ZEN, deterministic=False)
def phi_score(p: Perturbation) -> ProxyValue:
    """L1 norm over the batch of F(e + 0.01 e') - F(e), with batch-norms as identity."""
    return finite(p.distance, _OVERFLOW)


@register("phi_score_bn", needs=_NOISE, paper=_ZEN, deterministic=False)
def phi_score_bn(p: Perturbation) -> ProxyValue:
    """L1 norm over the batch of F(e + 0.01 e') - F(e)."""
    return finite(p.distance, _OVERFLOW)


@register("phi_score_with_data", needs=_IMAGES_WITHOUT_NORMS, paper=_WRCOR, deterministic=False)
def phi_score_with_data(p: Perturbation) -> ProxyValue:
    """L1 norm over the batch of F(images + 0.01 e') - F(images), with batch-norms as identity."""
    return finite(p.distance, _OVERFLOW)


@register("phi_score_with_data_bn", needs=_IMAGES, paper=_WRCOR, deterministic=False)
def phi_score_with_data_bn(p: Perturbation) -> ProxyValue:
    """L1 norm over the batch of F(images + 0.01 e') - F(images)."""
    return finite(p.distance, _OVERFLOW)


@register("zen_score", needs=_NOISE, paper=_ZEN, deterministic=False)
def zen_score(p: Perturbation) -> ProxyValue:
    """log(phi_score_bn + 1e-6) + the sum over batch-norms of log(sqrt(mean running variance) + 1e-6).

    Running statistics start afresh for every score: what the model has seen before makes no difference.
    """
    return _zen(p)


@register("zen_score_with_data", needs=_IMAGES, paper=_WRCOR, deterministic=False)
def zen_score_with_data(p: Perturbation) -> ProxyValue:
    """log(phi_score_with_data_bn + 1e-6) + the sum over batch-norms of log(sqrt(mean running variance) + 1e-6)."""
    return _zen(p)


@register("zen_score_cossim", needs=_NOISE, paper=_WRCOR, higher_is_better=False, deterministic=False)
def zen_score_cossim(p: Perturbation) -> ProxyValue:
    """Sum over images of the absolute cosine similarity of F(e + 0.01 e') and F(e).

    Lower is better: the less the noise turns the features, the less the network tells apart.
    """
    return finite(p.image_cosines, _OVERFLOW)


@register("zen_score_with_data_cossim", needs=_IMAGES, paper=_WRCOR, higher_is_better=False, deterministic=False)
def zen_score_with_data_cossim(p: Perturbation) -> ProxyValue:
    """Sum over images and positions of the absolute cosine similarity of F(images + 0.01 e') and F(images).

    Unlike in `zen_score_cossim`, as published, the vectors compared are the channels at one position.
    """
    return finite(p.position_cosines, _OVERFLOW)


@register("ssl_score", needs=NoisyViews(), paper=_BARLOW, deterministic=False)
def ssl_score(value: Tensor) -> ProxyValue:
    """-(sum (c_ii - 1)^2 + 0.005 sum c_ij^2), c the cross-correlation of F(images + 0.01 e) and F(images + 0.01 e')."""
    return finite(value, _OVERFLOW)


def _zen(p: Perturbation) -> ProxyValue:
    if p.log_norm_scale is None:
        return finite(float("nan"), _NO_STATISTICS)
    return finite((p.distance + 1e-6).log() + p.log_norm_scale, _OVERFLOW)
