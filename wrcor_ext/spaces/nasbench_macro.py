"""NAS-Bench-Macro (Su et al., CVPR 2021, arXiv 2103.11922) as a search space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from wrcor_ext.spaces.digits import DigitSpace
from wrcor_ext.spaces.inverted_residual import Tally
from wrcor_ext.spaces.registry import register

if TYPE_CHECKING:
    from torch import nn

STEM_WIDTH = 32
HEAD_WIDTH = 1280
_STAGES = (2, 3, 3)  # layers; the first of a stage halves the side and doubles the channels

# Digit: kernel and expansion of the inverted residual; `0` is the identity.
_KERNEL_EXPANSION = {"1": (3, 3), "2": (5, 6)}


class Layer(NamedTuple):
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
        from wrcor_ext.spaces.nets.nasbench_macro import MacroNetwork
        from wrcor_ext.spaces.seeding import private_rng

        self._check(arch)
        classes = self._classes(num_classes)
        with private_rng(seed):
            return MacroNetwork(arch, classes)

    def _count(self, arch: str, tally: Tally, num_classes: int) -> None:
        tally.convolution(3, 3, STEM_WIDTH)
        width = STEM_WIDTH
        for width_in, width, stride, kernel, inner in layers_of(arch):
            if kernel:
                tally.inverted_residual(width_in, inner, width, kernel=kernel, stride=stride)
            elif stride > 1:
                tally.convolution(1, width_in, width, stride=stride)
        tally.convolution(1, width, HEAD_WIDTH)
        tally.linear(HEAD_WIDTH, num_classes)


def layers_of(arch: str) -> Iterator[Layer]:
    """The eight layers of a valid architecture."""
    width = STEM_WIDTH
    strides = (2 if layer == 0 else 1 for layers in _STAGES for layer in range(layers))
    for digit, stride in zip(arch, strides, strict=True):
        kernel, expansion = _KERNEL_EXPANSION.get(digit, (0, 0))
        yield Layer(width, width * stride, stride, kernel, width * expansion)
        width *= stride
