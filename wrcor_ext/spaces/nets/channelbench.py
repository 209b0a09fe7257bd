"""The networks of Channel-Bench-Macro (Su et al., arXiv 2203.13714), its MobileNet half."""

from __future__ import annotations

from wrcor_ext.spaces.channelbench import blocks_of, widths_of
from wrcor_ext.spaces.nets.inverted_residual import ConvBN, InvertedResidual, LayeredNetwork


class ChannelNetwork(LayeredNetwork):
    """Stem, four inverted residuals and head: images [B, 3, S, S] to logits [B, num_classes].

    Args:
        arch: a valid architecture.
        num_classes: width of the classifier.
    """

    def __init__(self, arch: str, num_classes: int) -> None:
        widths = widths_of(arch)
        blocks = [
            InvertedResidual(before, inner, after, kernel=3, stride=stride)
            for before, inner, after, stride in blocks_of(widths)
        ]
        modules = [ConvBN(3, widths[0], 3, stride=2), *blocks, ConvBN(widths[4], widths[6], 1)]
        super().__init__(modules, widths[6], num_classes)
