"""FLOPs, parameters and layers of MobileNetV2 networks, from formulas: no network is built.

The unit is the multiply-add of one image: a k x k convolution from c to c' channels with an s x s output takes
k^2 c c' s^2 of them, a depthwise one k^2 c s^2. Two countings:

- "exact": the convolutions and the classifier, nothing else; `torch.utils.flop_counter` gives twice this number.
- "published": adds one per output element of a batch-norm, and for squeeze-excite one per channel and one per element
  that it scales, without its batch-norms. A projection in a shortcut with output r x r and its batch-norm count at
  r/stride, as if the stride applied twice: too little, kept because the published numbers have it.

The formulas use nothing but arithmetic, so their numbers may be `int`, or int64 arrays that broadcast and describe
many networks at once.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.base import COUNTINGS, Cost, Counting
from wrcor_ext.spaces.mobilenetv2_arch import BLOCKS, Architecture

Ints = npt.NDArray[np.int64]
Number = TypeVar("Number", int, Ints)


def block_cost(
    kernel: Number, in_width: Number, out_width: Number, stride: Number, inner: Number, layers: Number, size: Number
) -> tuple[Number, Number]:
    """Exact FLOPs and parameters of a block with inputs of side `size`, a multiple of `stride`."""
    before, after = size * size, (size // stride) * (size // stride)
    area, squeezed = kernel * kernel, inner // 4
    # Depthwise convolution, squeeze-excite and projection are the same in every layer.
    flops = layers * inner * (after * (area + out_width) + 2 * squeezed)
    params = layers * (inner * (area + out_width + 2 * squeezed) + 2 * (3 * inner + squeezed + out_width))
    # The expansion reads the block's input in the first layer, its output in the others.
    flops += inner * (in_width * before + (layers - 1) * out_width * after)
    params += inner * (in_width + (layers - 1) * out_width)
    # The shortcut of the first layer: convolution with bias, batch-norm.
    flops += in_width * out_width * after
    params += (in_width + 3) * out_width
    return flops, params


def frame_cost(
    stem: Number, in_width: Number, head: Number, resolution: Number, num_classes: int
) -> tuple[Number, Number]:
    """The same for stem, head and classifier together; the head has `in_width` input channels."""
    half, last = resolution // 2, resolution // 32
    flops = 27 * stem * half * half + head * (in_width * last * last + num_classes)
    params = 29 * stem + head * (in_width + 2 + num_classes) + num_classes
    return flops, params


def network_layers(layers: Number) -> Number:
    """Convolutions and linear layers of a network whose blocks have `layers` layers together.

    Five in each, one in the shortcut of each block's first; stem, head and classifier.
    """
    return 5 * layers + BLOCKS + 3


def network_cost(arch: Architecture, num_classes: int, counting: Counting) -> Cost:
    """Cost, but for memory, of the network of a valid architecture.

    Raises:
        InputError: for an unknown counting.
    """
    if counting not in COUNTINGS:
        raise InputError(f"counting={counting!r} is not one of {', '.join(COUNTINGS)}")
    flops, params = frame_cost(arch.stem, arch.blocks[-1].out_width, arch.head, arch.resolution, num_classes)
    size = arch.resolution // 2
    for b in arch.blocks:
        of_block = block_cost(b.kernel, b.in_width, b.out_width, b.stride, b.inner_width, b.layers, size)
        flops += of_block[0]
        params += of_block[1]
        size //= b.stride
    if counting == "published":
        flops += _published_surplus(arch)
    return Cost(flops, params, layers=network_layers(sum(b.layers for b in arch.blocks)))


def _published_surplus(arch: Architecture) -> int:
    """What "published" counts beyond "exact"."""
    before = (arch.resolution // 2) ** 2
    surplus = arch.stem * before + arch.head * (arch.resolution // 32) ** 2
    for b in arch.blocks:
        after = before // b.stride**2
        # Per layer: squeeze-excite, and the batch-norms after depthwise convolution and projection.
        surplus += b.layers * (b.inner_width + (2 * b.inner_width + b.out_width) * after)
        surplus += b.inner_width * (before + (b.layers - 1) * after)
        surplus += (b.in_width + 1) * b.out_width * after // b.stride**2 - b.in_width * b.out_width * after
        before = after
    return surplus
