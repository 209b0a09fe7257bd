"""FLOPs, parameters and layers of NAS-Bench-201 networks, from formulas: no network is built.

The unit is the multiply-add of one image: a k x k convolution from c to c' channels with an s x s output takes
k^2 c c' s^2 of them. Two countings:

- "exact": the convolutions and the classifier, nothing else; `torch.utils.flop_counter` gives twice this number.
- "published": what the `flops` proxy of NAS-Bench-Suite-Zero tabulates, measured there with tensorwatch. It adds, per
  output element, 2 for a batch-norm, 1 for a ReLU and k^2 for a k x k average pooling, and for the global pooling
  (s + 1)^2 per channel: one row and one column too many, kept because the tables have it.

Every operation that is in the network counts, whether or not its result reaches the output: it is computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.base import COUNTINGS, Cost, Counting, require_count


@dataclass(frozen=True)
class NetworkShape:
    """Everything about a NAS-Bench-201 network but its cell.

    Attributes:
        stem_width: C, channels of the stem and the first stage; the stages have C, 2C, 4C.
        cells_per_stage: N.
        batch_norm: whether convolutions are followed by batch-norm.
        num_classes: width of the classifier.
        image_size: side of the square images in pixels; the stages work at S, S/2, S/4.

    Raises:
        InputError: for a value out of range.
    """

    stem_width: int = 16
    cells_per_stage: int = 5
    batch_norm: bool = True
    num_classes: int = 10
    image_size: int = 32

    def __post_init__(self) -> None:
        for name in ("stem_width", "cells_per_stage", "num_classes", "image_size"):
            require_count(name, getattr(self, name))
        if not isinstance(self.batch_norm, bool):
            raise InputError(f"batch_norm={self.batch_norm!r} is not true or false")
        # An odd side makes the two branches of a reduction block differ by one pixel.
        if self.image_size % 4 != 0:
            raise InputError(f"image_size={self.image_size} is not a multiple of 4, and NAS-Bench-201 halves it twice")


class _Tally:
    """Adds up layers; `extras` says whether batch-norm, ReLU and pooling count as FLOPs."""

    def __init__(self, *, extras: bool, batch_norm: bool) -> None:
        self.flops = 0
        self.params = 0
        self.layers = 0
        self._extras = extras
        self._batch_norm = batch_norm

    def extra(self, flops: int) -> None:
        if self._extras:
            self.flops += flops

    def conv(self, kernel: int, channels_in: int, channels_out: int, size_out: int) -> None:
        weights = kernel * kernel * channels_in * channels_out
        self.params += weights
        self.layers += 1
        self.flops += weights * size_out * size_out

    def norm(self, channels: int, size: int) -> None:
        if self._batch_norm:
            self.params += 2 * channels
            self.extra(2 * channels * size * size)

    def relu_conv_norm(self, kernel: int, channels_in: int, channels_out: int, size_in: int, size_out: int) -> None:
        self.extra(channels_in * size_in * size_in)
        self.conv(kernel, channels_in, channels_out, size_out)
        self.norm(channels_out, size_out)


@lru_cache(maxsize=4096)
def network_cost(convs_1x1: int, convs_3x3: int, pools: int, shape: NetworkShape, counting: Counting) -> Cost:
    """Cost, but for memory, of a network whose cell has so many edges of each kind; the other edges cost nothing.

    Raises:
        InputError: for an unknown counting.
    """
    if counting not in COUNTINGS:
        raise InputError(f"counting={counting!r} is not one of {', '.join(COUNTINGS)}")
    tally = _Tally(extras=counting == "published", batch_norm=shape.batch_norm)
    channels, size = shape.stem_width, shape.image_size
    tally.conv(3, 3, channels, size)
    tally.norm(channels, size)
    for stage in range(3):
        if stage > 0:
            halved, doubled = size // 2, 2 * channels
            tally.relu_conv_norm(3, channels, doubled, size, halved)
            tally.relu_conv_norm(3, doubled, doubled, halved, halved)
            tally.extra(4 * channels * halved * halved)
            tally.conv(1, channels, doubled, halved)
            channels, size = doubled, halved
        for kernel, edges in ((1, convs_1x1), (3, convs_3x3)):
            for _ in range(edges * shape.cells_per_stage):
                tally.relu_conv_norm(kernel, channels, channels, size, size)
        tally.extra(9 * channels * size * size * pools * shape.cells_per_stage)
    tally.norm(channels, size)
    tally.extra(channels * size * size)
    tally.extra(channels * (size + 1) ** 2)
    tally.flops += channels * shape.num_classes
    tally.params += (channels + 1) * shape.num_classes
    tally.layers += 1
    return Cost(tally.flops, tally.params, layers=tally.layers)
