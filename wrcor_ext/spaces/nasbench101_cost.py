"""FLOPs, parameters and layers of NAS-Bench-101 networks, from formulas: no network is built.

The unit is the multiply-add of one image: a k x k convolution from c to c' channels with an s x s output takes
k^2 c c' s^2 of them. Convolutions and the classifier count, nothing else; `torch.utils.flop_counter` gives twice this
number. The benchmark publishes parameters, and no FLOPs: its parameter counts are these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.base import COUNTINGS, Cost, Counting, require_count
from wrcor_ext.spaces.nasbench101_graph import MAX_VERTICES, unpack

# Kernel sizes of the operations by index; the pooling has no weights.
_KERNELS = (3, 1, 0)


@dataclass(frozen=True)
class NetworkShape:
    """Everything about a NAS-Bench-101 network but its cell.

    Attributes:
        stem_width: channels of the stem and of the first stack; every further stack doubles them.
        stacks: number of stacks, with a max-pooling of stride 2 before each but the first.
        cells_per_stack: equal cells in each stack.
        num_classes: width of the classifier.
        image_size: side of the square images in pixels.

    Raises:
        InputError: for a value out of range.
    """

    stem_width: int = 128
    stacks: int = 3
    cells_per_stack: int = 3
    num_classes: int = 10
    image_size: int = 32

    def __post_init__(self) -> None:
        for name in ("stem_width", "stacks", "cells_per_stack", "num_classes", "image_size"):
            require_count(name, getattr(self, name))
        # Up to five vertices share the output's channels, and each needs one.
        if self.stem_width < MAX_VERTICES - 2:
            raise InputError(f"stem_width={self.stem_width} is less than {MAX_VERTICES - 2} channels")
        if self.image_size < 2 ** (self.stacks - 1):
            raise InputError(f"image_size={self.image_size} cannot be halved {self.stacks - 1} times")


def vertex_channels(channels_in: int, channels_out: int, sources: Sequence[int]) -> list[int]:
    """Channels of every vertex by the benchmark's rule.

    The vertices that feed the output share its channels, the first ones taking what is left over; every other one has
    as many as the widest vertex it feeds. The cell's input and output have their own.

    Args:
        channels_in: of the cell's input.
        channels_out: of the cell's output.
        sources: per vertex its in-neighbours as bits, as `unpack` returns them.
    """
    output = len(sources) - 1
    channels = [channels_in] + [0] * (output - 1) + [channels_out]
    feeding = [vertex for vertex in range(1, output) if sources[output] >> vertex & 1]
    for position, vertex in enumerate(feeding):
        share, left_over = divmod(channels_out, len(feeding))
        channels[vertex] = share + (position < left_over)
    for vertex in reversed(range(1, output)):
        if vertex not in feeding:
            channels[vertex] = max(channels[t] for t in range(vertex + 1, output) if sources[t] >> vertex & 1)
    return channels


@lru_cache(maxsize=65536)
def network_cost(code: int, shape: NetworkShape, counting: Counting) -> Cost:
    """Cost, but for memory, of the network with the cell of a pruned code.

    Raises:
        InputError: for an unknown counting.
    """
    if counting not in COUNTINGS:
        raise InputError(f"counting={counting!r} is not one of {', '.join(COUNTINGS)}")
    sources, labels = unpack(code)
    channels, size = shape.stem_width, shape.image_size
    weights = 27 * channels
    flops, params = weights * size * size, weights + 2 * channels
    channels_in = channels
    for stack in range(shape.stacks):
        if stack > 0:
            channels, size = 2 * channels, size // 2
        first = _cell_weights(sources, labels, channels_in, channels)
        other = _cell_weights(sources, labels, channels, channels)
        others = shape.cells_per_stack - 1
        flops += (first[0] + others * other[0]) * size * size
        params += sum(first) + others * sum(other)
        channels_in = channels
    # A cell's projections are as many as its input has edges; the stem and the classifier are layers, too.
    in_cell = sum(mask & 1 for mask in sources) + sum(_KERNELS[label] > 0 for label in labels)
    return Cost(
        flops + channels * shape.num_classes,
        params + (channels + 1) * shape.num_classes,
        layers=shape.stacks * shape.cells_per_stack * in_cell + 2,
    )


def _cell_weights(sources: list[int], labels: list[int], channels_in: int, channels_out: int) -> tuple[int, int]:
    """Weights of a cell's convolutions, and of its batch-norms."""
    channels = vertex_channels(channels_in, channels_out, sources)
    convolutions = norms = 0
    for vertex, width in enumerate(channels[1:], start=1):
        if sources[vertex] & 1:  # the projection of the input
            convolutions += channels_in * width
            norms += 2 * width
    for label, width in zip(labels, channels[1:-1], strict=True):
        kernel = _KERNELS[label]
        convolutions += kernel * kernel * width * width
        norms += 2 * width if kernel else 0
    return convolutions, norms
