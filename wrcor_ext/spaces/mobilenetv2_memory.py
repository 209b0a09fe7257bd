"""Peak memory of activations of MobileNetV2 networks, without building one; the rules are those of `liveness`.

Nothing is there between two parts of a network but the one's output, so the fullest part decides. Which tensors of a
layer are there at the same time does not depend on its numbers, and is found out once. Like the formulas of
`mobilenetv2_cost`, these take `int`, or int64 arrays that describe many networks at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from wrcor_ext.spaces.liveness import BYTES, Steps
from wrcor_ext.spaces.mobilenetv2_arch import Architecture
from wrcor_ext.spaces.mobilenetv2_cost import Number

# Of several numbers, or of several arrays at each place.
Largest = Callable[[Sequence[Any]], Any]


# How large the tensors of a layer are: places in the tuple that `_fullest` is given. A gate has one number per channel.
_INPUT, _EXPANDED, _INNER, _GATE, _SQUEEZED, _OUTPUT = range(6)


def _moments(*, projected: bool) -> list[list[int]]:
    """What is there at the fullest moments of a layer, with or without a convolution in its shortcut."""
    steps: Steps[int] = Steps()
    image = steps.given(_INPUT)
    depthwise = steps.make(_INNER, steps.make(_EXPANDED, image))
    squeezed = steps.make(_SQUEEZED, steps.make(_GATE, depthwise))
    gate = steps.make(_GATE, squeezed)
    residual = steps.make(_OUTPUT, steps.make(_INNER, depthwise, gate))
    shortcut = steps.make(_OUTPUT, image) if projected else image
    steps.make(_OUTPUT, residual, shortcut)
    found = [Counter(moment) for moment in steps.moments()]
    return [list(moment.elements()) for moment in found if not any(moment < other for other in found)]


_FIRST, _OTHER = _moments(projected=True), _moments(projected=False)


def block_numbers(
    in_width: Number,
    out_width: Number,
    stride: Number,
    inner: Number,
    layers: Number,
    size: Number,
    *,
    largest: Largest = max,
) -> Number:
    """The most numbers that a block holds at the same time; its inputs have side `size`, a multiple of `stride`."""
    before, after = size * size, (size // stride) * (size // stride)
    output, squeezed = out_width * after, inner // 4
    first = _fullest(_FIRST, (in_width * before, inner * before, inner * after, inner, squeezed, output), largest)
    other = _fullest(_OTHER, (output, inner * after, inner * after, inner, squeezed, output), largest)
    found: Number = largest([first, (layers > 1) * other])
    return found


def frame_numbers(
    stem: Number, in_width: Number, head: Number, resolution: Number, num_classes: int, *, largest: Largest = max
) -> Number:
    """The same for stem, head, global pooling and classifier; the head has `in_width` input channels."""
    whole, half, last = resolution**2, (resolution // 2) ** 2, (resolution // 32) ** 2
    found: Number = largest([3 * whole + stem * half, (in_width + head) * last, head * last + head, head + num_classes])
    return found


def network_memory(arch: Architecture, num_classes: int) -> int:
    """Peak bytes of the activations of one image, of the network's own resolution, for a valid architecture."""
    fullest = frame_numbers(arch.stem, arch.blocks[-1].out_width, arch.head, arch.resolution, num_classes)
    size = arch.resolution // 2
    for b in arch.blocks:
        fullest = max(fullest, block_numbers(b.in_width, b.out_width, b.stride, b.inner_width, b.layers, size))
        size //= b.stride
    return BYTES * fullest


def _fullest(moments: list[list[int]], sizes: Sequence[Any], largest: Largest) -> Any:
    return largest([sum(sizes[tensor] for tensor in moment) for moment in moments])
