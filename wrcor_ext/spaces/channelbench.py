"""The MobileNet half of Channel-Bench-Macro (Su et al., arXiv 2203.13714) as a search space: a network's widths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wrcor_ext.spaces.digits import DigitSpace
from wrcor_ext.spaces.inverted_residual import Tally
from wrcor_ext.spaces.registry import register

if TYPE_CHECKING:
    from torch import nn

_BASE_WIDTHS = (32, 192, 192, 192, 64, 384, 256)


@register("channelbench_mobilenet", paper="Su et al., Channel-Bench-Macro, arXiv 2203.13714")
class ChannelBenchMobileNet(DigitSpace):
    """Seven widths of a small MobileNetV2 for CIFAR-10, four choices each: 16,384 architectures.

    An architecture is a text of seven digits from 1 to 4, the multiples of the base widths 32, 192, 192, 192, 64, 384
    and 256. Different texts are different networks, so the text is the key as well.

    Args:
        num_classes: width of the classifier.
        image_size: side of the square images in pixels.

    Raises:
        InputError: for an option out of range.
    """

    title = "Channel-Bench"
    digits = "1234"
    length = 7
    size = 4**7

    def key(self, arch: str) -> str:
        """The architecture itself: no two have the same network."""
        self._check(arch)
        return arch

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
        from wrcor_ext.spaces.nets.channelbench import ChannelNetwork
        from wrcor_ext.spaces.seeding import private_rng

        self._check(arch)
        classes = self._classes(num_classes)
        with private_rng(seed):
            return ChannelNetwork(arch, classes)

    def _count(self, arch: str, tally: Tally, num_classes: int) -> None:
        widths = widths_of(arch)
        tally.convolution(3, 3, widths[0], stride=2)
        for before, inner, after, stride in blocks_of(widths):
            tally.inverted_residual(before, inner, after, kernel=3, stride=stride)
        tally.convolution(1, widths[4], widths[6])
        tally.linear(widths[6], num_classes)


def widths_of(arch: str) -> tuple[int, ...]:
    """The seven widths of a valid architecture."""
    return tuple(base * int(digit) for base, digit in zip(_BASE_WIDTHS, arch, strict=True))


def blocks_of(widths: tuple[int, ...]) -> Iterator[tuple[int, int, int, int]]:
    """Input, inner and output width and stride of the four inverted residuals."""
    c0, c1, c2, c3, c4, c5, _ = widths
    yield from ((c0, c1, c0, 1), (c0, c2, c0, 1), (c0, c3, c4, 2), (c4, c5, c4, 1))
