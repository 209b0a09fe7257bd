"""NAS-Bench-Macro (Su et al., CVPR 2021, arXiv 2103.11922) as a search space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from wrcor_ext.spaces.digits import DigitSpace
from wrcor_ext.spaces.inverted_residual import Tally
from wrcor_ext.spaces.registry import register

if TYPE_CHECKING:
    from torch import nn

_STEM_WIDTH = 32
_HEAD_WIDTH = 1280
_STAGES = (2, 3, 3)  # layers; the first of a stage halves the side and doubles the channels

# Digit: kernel and expansion of the inverted residual; `0` is the identity.
_KERNEL_EXPANSION = {"1": (3, 3), "2": (5, 6)}


class _Layer(NamedTuple):
    """One of the eight layers; `kernel` and `inner_width` are 0 for the identity."""

    in_width: int
    out_width: int
    stride: int
    kernel: int
    inner_width: int


@register("nasbench_macro", paper="Su et al., NAS-Bench-Macro, CVPR 2021, arXiv 2103.11922")
class NASBenchMacro(DigitSpace):
    """Eight layers of a MobileNetV2-like CIFAR-10 network, three choices each: 6,561 architectures.

    An architecture is a text of eight digits, one per layer: 0 identity, 1 inverted residual with kernel 3 and
    expansion 3, 2 with kernel 5 and expansion 6. An identity that begins a stage is a 1x1 convolution of stride 2
    with batch-norm.

    Args:
        num_classes: width of the classifier.
        image_size: side of the square images in pixels.

    Raises:
        InputError: for an option out of range.
    """

    title = "NAS-Bench-Macro"
    digits = "012"
    length = 8
    size = 3**8

    def key(self, arch: str) -> str:
        """The canonical key: stage by stage, the first digit and what follows but the identities.

        Equal exactly for architectures of the same network: an identity that does not begin a stage is no layer.
        """
        self._check(arch)
        stages, start = [], 0
        for layers in _STAGES:
            end = start + layers
            stages.append(arch[start] + arch[start + 1 : end].replace("0", ""))
            start = end
        return "-".join(stages)

    def build(self, arch: str, *, num_classes: int | None = None, seed: int | None = None) -> nn.Module:
        """The network, images [B, 3, S, S] to logits [B, num_classes], initialised with PyTorch's defaults.

        Args:
            arch: the architecture.
            num_classes: in place of the space's own.
            seed: draws the weights from a private generator with this seed, leaving torch's global one untouched;
                None draws them from the global one.

        Raises:
            InputError: for a value that is no architecture, or an option out of range.
        """
        from torch import nn

        from wrcor_ext.spaces.nets.inverted_residual import ConvBN, InvertedResidual, LayeredNetwork
        from wrcor_ext.spaces.seeding import private_rng

        def module(layer: _Layer) -> nn.Module:
            if layer.kernel:
                return InvertedResidual(
                    layer.in_width, layer.inner_width, layer.out_width, kernel=layer.kernel, stride=layer.stride
                )
            if layer.stride == 1:
                return nn.Identity()
            return ConvBN(layer.in_width, layer.out_width, 1, stride=layer.stride, linear=True)

        self._check(arch)
        classes, layers = self._classes(num_classes), list(_layers(arch))
        with private_rng(seed):
            modules = [ConvBN(3, _STEM_WIDTH, 3), *map(module, layers), ConvBN(layers[-1].out_width, _HEAD_WIDTH, 1)]
            return LayeredNetwork(modules, _HEAD_WIDTH, classes)

    def _count(self, arch: str, tally: Tally, num_classes: int) -> None:
        tally.convolution(3, 3, _STEM_WIDTH)
        width = _STEM_WIDTH
        for width_in, width, stride, kernel, inner in _layers(arch):
            if kernel:
                tally.inverted_residual(width_in, inner, width, kernel=kernel, stride=stride)
            elif stride > 1:
                tally.convolution(1, width_in, width, stride=stride)
        tally.convolution(1, width, _HEAD_WIDTH)
        tally.linear(_HEAD_WIDTH, num_classes)


def _layers(arch: str) -> Iterator[_Layer]:
    """The eight layers of a valid architecture."""
    width = _STEM_WIDTH
    strides = (2 if layer == 0 else 1 for layers in _STAGES for layer in range(layers))
    for digit, stride in zip(arch, strides, strict=True):
        kernel, expansion = _KERNEL_EXPANSION.get(digit, (0, 0))
        yield _Layer(width, width * stride, stride, kernel, width * expansion)
        width *= stride
