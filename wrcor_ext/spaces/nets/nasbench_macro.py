"""The networks of NAS-Bench-Macro (Su et al., CVPR 2021, arXiv 2103.11922)."""

from __future__ import annotations

from torch import nn

from wrcor_ext.spaces.nasbench_macro import HEAD_WIDTH, STEM_WIDTH, Layer, layers_of
from wrcor_ext.spaces.nets.inverted_residual import ConvBN, InvertedResidual, LayeredNetwork


def _module(layer: Layer) -> nn.Module:
    if layer.kernel:
        return InvertedResidual(
            layer.in_width, layer.inner_width, layer.out_width, kernel=layer.kernel, stride=layer.stride
        )
    if layer.stride == 1:
        return nn.Identity()
    return ConvBN(layer.in_width, layer.out_width, 1, stride=layer.stride, linear=True)


class MacroNetwork(LayeredNetwork):
    """Stem, eight layers and head: images [B, 3, S, S] to logits [B, num_classes].

    Args:
        arch: a valid architecture.
        num_classes: width of the classifier.
    """

    def __init__(self, arch: str, num_classes: int) -> None:
        layers = list(layers_of(arch))
        modules = [ConvBN(3, STEM_WIDTH, 3), *map(_module, layers), ConvBN(layers[-1].out_width, HEAD_WIDTH, 1)]
        super().__init__(modules, HEAD_WIDTH, num_classes)
