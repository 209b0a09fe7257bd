"""Separation: whether images of different classes stay apart inside the network."""

from __future__ import annotations

from torch import Tensor

from wrcor_ext.measurements.bundles import BundleEntropies
from wrcor_ext.measurements.class_distances import ClassDistances
from wrcor_ext.proxies.registry import ProxyValue, finite, register


@register("feature_distance", needs=ClassDistances(), paper="Weighted Response Correlation, arXiv 2507.08841")
def feature_distance(distances: tuple[Tensor, Tensor]) -> ProxyValue:
    """Mean Euclidean distance between class means over mean distance within classes, of the map before global pooling.

    The distance zero of an image, or a mean, from itself is included in both means, as published.
    """
    between, within = distances
    return finite(between / within, "no class has two images with different, finite feature maps")


@register("bundle_entropy", needs=BundleEntropies(), paper="Conflicting Bundles, arXiv 2011.02956")
def bundle_entropy(entropies: Tensor) -> ProxyValue:
    """Minus the mean over levels of the entropy of labels among images that float32 updates cannot tell apart.

    The published code counts the images outside a bundle as members of class 0, so that even a network that tells all
    images apart has a value below zero. That is reproduced under `rule="reference"` alone.
    """
    return finite(-entropies.mean(), "the output of some level is not finite", per_level=entropies.tolist())
