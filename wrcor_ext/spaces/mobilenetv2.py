"""The MobileNetV2 space of the WRCor paper (arXiv 2507.08841, section 4.4) as a search space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from wrcor_ext.errors import InputError
from wrcor_ext.spaces import mobilenetv2_draw
from wrcor_ext.spaces.base import Cost, Counting, Limits, Space, draw_within, require_count
from wrcor_ext.spaces.encoding import Encoding
from wrcor_ext.spaces.mobilenetv2_arch import VALID_RESOLUTIONS, Architecture, check_architecture
from wrcor_ext.spaces.mobilenetv2_cost import network_cost
from wrcor_ext.spaces.mobilenetv2_encoding import NetworkEncoding
from wrcor_ext.spaces.mobilenetv2_memory import network_memory
from wrcor_ext.spaces.mobilenetv2_published import PUBLISHED
from wrcor_ext.spaces.mobilenetv2_text import DEFAULT_RESOLUTION, format_architecture, parse_architecture
from wrcor_ext.spaces.registry import register

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

__all__ = ["MobileNetV2"]


@register("mobilenetv2", paper="WRCor, Neurocomputing 2025, arXiv 2507.08841")
class MobileNetV2(Space[Architecture]):
    """Inverted residual networks for ImageNet: seven blocks, their widths, kernels and depths, and the resolution.

    An architecture is an `Architecture`; its text is the published block string, `@` and the resolution, and the ten
    published architectures can be parsed by name. Every network resizes its images to its own resolution, so costs
    do not depend on the size of the images.

    Args:
        num_classes: width of the classifier.
        resolution: gives all that `sample` and `mutate` return this resolution, a multiple of 32 from 32 to 1024;
            None draws resolutions.

    Raises:
        InputError: for an option out of range.
    """

    size = None

    def __init__(self, *, num_classes: int = 1000, resolution: int | None = None) -> None:
        require_count("num_classes", num_classes)
        if resolution is not None:
            require_count("resolution", resolution)
            if resolution not in VALID_RESOLUTIONS:
                raise InputError(f"resolution={resolution} is not a multiple of 32 from 32 to 1024")
        self.default_num_classes = num_classes
        self.default_image_size = resolution or DEFAULT_RESOLUTION
        self._resolution = resolution

    @property
    def published(self) -> tuple[str, ...]:
        """The names that `parse` knows."""
        return tuple(PUBLISHED)

    def sample(self, rng: np.random.Generator, *, limits: Limits | None = None) -> Architecture:
        """A random architecture: every choice uniform within its range, conditioned on the limits.

        Raises:
            InputError: if none within the limits was found; it names the smallest costs seen.
        """
        return mobilenetv2_draw.sample(rng, limits, num_classes=self.default_num_classes, resolution=self._resolution)

    def mutate(self, arch: Architecture, rng: np.random.Generator, *, limits: Limits | None = None) -> Architecture:
        """An architecture with one block and the resolution drawn anew, within their ranges and the limits.

        Of the block, expansion, kernel, input width (the output width of the part before follows), bottleneck and
        layers are drawn; the head, with its two widths, is an eighth block here. Strides stay.

        Raises:
            InputError: if none within the limits was found; it names the smallest costs seen.
        """
        check_architecture(arch)
        classes = self.default_num_classes
        count = network_cost if limits is None or limits.memory is None else _full_cost
        return draw_within(
            lambda: mobilenetv2_draw.neighbour(arch, rng, resolution=self._resolution),
            lambda found: count(found, classes, "exact"),
            limits,
        )

    def parse(self, text: str) -> Architecture:
        """The architecture of a text or a published name; without `@` and a resolution, the name's own or 224.

        Raises:
            InputError: for anything else; it names the offending part and its position, counted from 1.
        """
        return parse_architecture(text)

    def format(self, arch: Architecture) -> str:
        """The text in full, with `@` and the resolution."""
        check_architecture(arch)
        return format_architecture(arch)

    def key(self, arch: Architecture) -> str:
        """The canonical key: equal exactly for architectures of the same network.

        Expansion and bottleneck appear in a network as their product alone, so the key holds the product.
        """
        check_architecture(arch)
        blocks = "-".join(f"k{b.kernel}s{b.stride}i{b.inner_width}x{b.layers}o{b.out_width}" for b in arch.blocks)
        return f"{arch.stem}-{blocks}-{arch.head}@{arch.resolution}"

    def cost(
        self,
        arch: Architecture,
        *,
        counting: Counting = "exact",
        num_classes: int | None = None,
        image_size: int | None = None,
    ) -> Cost:
        """Multiply-adds of one image, trainable parameters, peak memory of its activations, layers.

        Args:
            arch: the architecture.
            counting: "exact" counts convolutions and the classifier; "published" counts as the published search does,
                see `wrcor_ext.spaces.mobilenetv2_cost`.
            num_classes: in place of the space's own.
            image_size: of no influence: the network resizes its images to its own resolution, and the resized one is
                what memory begins with.

        Raises:
            InputError: for a value that is no architecture, or an option out of range.
        """
        check_architecture(arch)
        if image_size is not None:
            require_count("image_size", image_size)
        return _full_cost(arch, self._classes(num_classes), counting)

    def build(self, arch: Architecture, *, num_classes: int | None = None, seed: int | None = None) -> nn.Module:
        """The network, images [B, 3, S, S] of any size S to logits [B, num_classes].

        Weights start as PyTorch's defaults: convolutions and classifier uniform in +-1/sqrt(fan_in), batch-norms at
        weight 1 and offset 0.

        Args:
            arch: the architecture.
            num_classes: in place of the space's own.
            seed: draws the weights from a private generator with this seed, leaving torch's global one untouched;
                None draws them from the global one.

        Raises:
            InputError: for a value that is no architecture, or an option out of range.
        """
        from wrcor_ext.spaces.nets.mobilenetv2 import MasterNet
        from wrcor_ext.spaces.seeding import private_rng

        check_architecture(arch)
        classes = self._classes(num_classes)
        with private_rng(seed):
            return MasterNet(arch, classes)

    def enumerate(self) -> Iterator[Architecture]:
        """Not possible.

        Raises:
            InputError: always: the space has some 10^29 architectures.
        """
        raise InputError("the MobileNetV2 space has some 10^29 architectures, too many to enumerate: sample them")

    def encoding(self) -> Encoding[Architecture]:
        """The 39 choices that `sample` makes, or 38 where the resolution is given.

        Nine widths, and of the seven blocks bottlenecks, layers, expansions and kernels; the resolution; which four
        blocks have stride 2.
        """
        return NetworkEncoding(self._resolution)

    def _classes(self, num_classes: int | None) -> int:
        if num_classes is None:
            return self.default_num_classes
        require_count("num_classes", num_classes)
        return num_classes


def _full_cost(arch: Architecture, num_classes: int, counting: Counting) -> Cost:
    return replace(network_cost(arch, num_classes, counting), memory=network_memory(arch, num_classes))
