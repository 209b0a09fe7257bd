"""Random architectures of the MobileNetV2 space, drawn in batches.

A bound of 600 M FLOPs admits two networks in five, one of 100 M one in 650. Drawing arrays of networks with their
costs, and making an `Architecture` of the first admitted one only, is one-by-one rejection at a fraction of the price:
the result is uniform over what the limits admit.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

import numpy as np

from wrcor_ext.spaces.base import Limits, unreachable
from wrcor_ext.spaces.liveness import BYTES
from wrcor_ext.spaces.mobilenetv2_arch import (
    BLOCKS,
    BOTTLENECKS,
    EXPANSIONS,
    KERNELS,
    LAYERS,
    RESOLUTIONS,
    STRIDED_BLOCKS,
    WIDTHS,
    Architecture,
    Block,
)
from wrcor_ext.spaces.mobilenetv2_cost import Ints, block_cost, frame_cost, network_layers
from wrcor_ext.spaces.mobilenetv2_memory import block_numbers, frame_numbers

# Draws before limits count as unreachable: some 0.2 seconds.
MAX_DRAWS = 100_000

# The first batch is enough for usual limits; rare networks are worth batches that spread numpy's overhead per call.
_FIRST_BATCH, _LARGEST_BATCH = 16, 1024

# Every way to choose the four of the seven blocks, counted from 0, that have stride 2; and the strides [35, 7].
STRIDED = tuple(combinations(range(BLOCKS), STRIDED_BLOCKS))
_STRIDES = np.array([[1 + (b in strided) for b in range(BLOCKS)] for strided in STRIDED])

# The independent choices that make up a network, the last an index into STRIDED: in groups, and in one row of 39.
_GROUPS = (
    WIDTHS,
    BOTTLENECKS,
    LAYERS,
    [EXPANSIONS] * BLOCKS,
    [KERNELS] * BLOCKS,
    [RESOLUTIONS],
    [range(len(STRIDED))],
)
CHOICES = tuple(tuple(choices) for group in _GROUPS for choices in group)
_COUNTS = np.array([len(choices) for choices in CHOICES])
_BORDERS = np.cumsum([len(group) for group in _GROUPS])[:-1]
_COLUMNS = np.arange(len(CHOICES))
# [39, longest]: the values to choose from, padded with zeros that are never chosen.
_VALUES = np.array([[*choices, *[0] * (max(_COUNTS) - len(choices))] for choices in CHOICES])

T = TypeVar("T")


@dataclass(frozen=True)
class Draws:
    """n random networks, one a row.

    Attributes:
        widths: c0 to c8 [n, 9] int64.
        bottlenecks: [n, 7] int64, like all but the last.
        layers: number of layers.
        expansions: e.
        kernels: k.
        strides: 1 or 2.
        resolutions: [n, 1] int64.
    """

    widths: Ints
    bottlenecks: Ints
    layers: Ints
    expansions: Ints
    kernels: Ints
    strides: Ints
    resolutions: Ints

    @classmethod
    def random(cls, rng: np.random.Generator, count: int, resolution: int | None = None) -> Draws:
        """`count` networks, every choice uniform and independent of the others, but a resolution that is given."""
        return cls.chosen(rng.integers(_COUNTS, size=(count, len(_COUNTS))), resolution)

    @classmethod
    def chosen(cls, indices: Ints, resolution: int | None = None) -> Draws:
        """The networks of indices [n, 39] into `CHOICES`, but with a resolution that is given."""
        values = _VALUES[_COLUMNS, indices]
        widths, bottlenecks, layers, expansions, kernels, resolutions, strides = np.split(values, _BORDERS, axis=1)
        if resolution is not None:
            resolutions[:] = resolution
        return cls(widths, bottlenecks, layers, expansions, kernels, _STRIDES[strides[:, 0]], resolutions)

    def costs(self, num_classes: int, names: Collection[str]) -> dict[str, Ints]:
        """What the networks cost, [n] each, by the names of `Cost`; FLOPs are exact.

        Args:
            num_classes: width of the classifier.
            names: what is asked for. FLOPs and parameters come together.
        """
        sizes = self.resolutions // 2 * self.strides // np.cumprod(self.strides, axis=1)
        inner = self.bottlenecks * self.expansions  # multiples of 8 already
        before, after = self.widths[:, :-2], self.widths[:, 1:-1]
        stem, before_head, head = (self.widths[:, i] for i in (0, -2, -1))
        found = {}
        if "flops" in names or "params" in names:
            flops, params = block_cost(self.kernels, before, after, self.strides, inner, self.layers, sizes)
            frame_flops, frame_params = frame_cost(stem, before_head, head, self.resolutions[:, 0], num_classes)
            found["flops"] = flops.sum(axis=1) + frame_flops
            found["params"] = params.sum(axis=1) + frame_params
        if "memory" in names:
            blocks = block_numbers(before, after, self.strides, inner, self.layers, sizes, largest=np.maximum.reduce)
            frame = frame_numbers(
                stem, before_head, head, self.resolutions[:, 0], num_classes, largest=np.maximum.reduce
            )
            found["memory"] = BYTES * np.maximum(blocks.max(axis=1), frame)
        if "layers" in names:
            found["layers"] = network_layers(self.layers.sum(axis=1))
        return found

    def architecture(self, row: int) -> Architecture:
        """One of the networks as a value."""
        stem, *widths, head = self.widths[row].tolist()
        first, last = (self.expansions, self.kernels), (self.strides, self.bottlenecks, self.layers)
        blocks = zip(
            *(column[row].tolist() for column in first),
            [stem, *widths[:-1]],
            widths,
            *(column[row].tolist() for column in last),
            strict=True,
        )
        return Architecture(stem, tuple(Block(*numbers) for numbers in blocks), head, int(self.resolutions[row, 0]))


def sample(
    rng: np.random.Generator, limits: Limits | None, *, num_classes: int, resolution: int | None = None
) -> Architecture:
    """A random architecture within the ranges, or of the given resolution; uniform over those within the limits.

    Raises:
        InputError: if `MAX_DRAWS` draws had none within the limits; it names the smallest costs seen.
    """
    if limits is not None:
        limits.refuse_latency()
    if limits is None or not limits.counted:
        return Draws.random(rng, 1, resolution).architecture(0)
    drawn, batch = 0, _FIRST_BATCH
    least = dict.fromkeys(limits.counted, np.inf)
    while drawn < MAX_DRAWS:
        draws = Draws.random(rng, batch, resolution)
        costs = draws.costs(num_classes, limits.counted)
        admitted = np.logical_and.reduce([costs[name] <= getattr(limits, name) for name in limits.counted])
        first = int(admitted.argmax())
        if admitted[first]:
            return draws.architecture(first)
        least = {name: min(smallest, costs[name].min()) for name, smallest in least.items()}
        drawn += batch
        batch = min(2 * batch, _LARGEST_BATCH)
    raise unreachable(f"{drawn} random MobileNetV2 architectures", limits, least)


def neighbour(arch: Architecture, rng: np.random.Generator, *, resolution: int | None = None) -> Architecture:
    """`arch` with one block, or the head, and the resolution unless it is given, drawn anew; never `arch` itself.

    Of a block: expansion, kernel, input width, bottleneck and layers; of the head: both widths. The output width of
    the part before follows. Strides stay.
    """
    while True:
        part = int(rng.integers(BLOCKS + 1))
        stem, blocks, head = arch.stem, list(arch.blocks), arch.head
        width = _choice(rng, WIDTHS[part])
        if part == 0:
            stem = width
        else:
            blocks[part - 1] = replace(blocks[part - 1], out_width=width)
        if part == BLOCKS:
            head = _choice(rng, WIDTHS[-1])
        else:
            blocks[part] = replace(
                blocks[part],
                expansion=_choice(rng, EXPANSIONS),
                kernel=_choice(rng, KERNELS),
                in_width=width,
                bottleneck=_choice(rng, BOTTLENECKS[part]),
                layers=_choice(rng, LAYERS[part]),
            )
        side = _choice(rng, RESOLUTIONS) if resolution is None else resolution
        child = Architecture(stem, tuple(blocks), head, side)
        if child != arch:
            return child


def _choice(rng: np.random.Generator, choices: tuple[T, ...]) -> T:
    return choices[rng.integers(len(choices))]
