"""NAS-Bench-201 (Dong & Yang, ICLR 2020, arXiv 2001.00326) as a search space."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.base import Cost, Counting, Limits, Space, draw_within
from wrcor_ext.spaces.encoding import Encoding, GridEncoding, Variable
from wrcor_ext.spaces.nasbench201_cell import (
    EDGES,
    OPS,
    SIZE,
    Cell,
    check_cell,
    format_cell,
    official_order,
    parse_cell,
)
from wrcor_ext.spaces.nasbench201_cost import NetworkShape, network_cost
from wrcor_ext.spaces.nasbench201_key import canonical_key
from wrcor_ext.spaces.nasbench201_memory import network_memory
from wrcor_ext.spaces.registry import register

if TYPE_CHECKING:
    import numpy as np
    from torch import nn


@register("nasbench201", paper="Dong & Yang, NAS-Bench-201, ICLR 2020, arXiv 2001.00326")
class NASBench201(Space[Cell]):
    """One cell of six edges, five operations each, in a network of fixed shape: 15,625 architectures.

    An architecture is a tuple of six operation names, edges ordered 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2; its text is
    the official string. The options set the network's shape; `cost` and `build` can override each of them.

    Args:
        stem_width: C, channels of the first stage.
        cells_per_stage: N, cells in each of the three stages.
        batch_norm: False leaves every batch-norm out.
        num_classes: width of the classifier.
        image_size: side of the square images in pixels, a multiple of 4.

    Raises:
        InputError: for an option out of range.
    """

    size = SIZE

    def __init__(
        self,
        *,
        stem_width: int = 16,
        cells_per_stage: int = 5,
        batch_norm: bool = True,
        num_classes: int = 10,
        image_size: int = 32,
    ) -> None:
        self.shape = NetworkShape(stem_width, cells_per_stage, batch_norm, num_classes, image_size)
        self.default_num_classes = num_classes
        self.default_image_size = image_size

    def sample(self, rng: np.random.Generator, *, limits: Limits | None = None) -> Cell:
        """A random cell, uniform over the 15,625 or over those within the limits.

        Raises:
            InputError: if none within the limits was found.
        """

        def draw() -> Cell:
            return tuple(OPS[i] for i in rng.integers(len(OPS), size=len(EDGES)))

        return draw_within(draw, self._cost_for(limits), limits)

    def mutate(self, arch: Cell, rng: np.random.Generator, *, limits: Limits | None = None) -> Cell:
        """A cell that differs in exactly one edge, uniform over the 24 or over those within the limits.

        A cell within limits on FLOPs, parameters and layers always has a neighbour within them: no operation is cheaper
        than `none`.

        Raises:
            InputError: if no neighbour is within the limits.
        """
        neighbours = self.neighbours(arch)
        if limits is not None:
            cost = self._cost_for(limits)
            neighbours = [cell for cell in neighbours if limits.admits(cost(cell))]
            if not neighbours:
                raise InputError(f"no neighbour of {format_cell(arch)} keeps {limits}")
        return neighbours[rng.integers(len(neighbours))]

    def neighbours(self, arch: Cell) -> list[Cell]:
        """The 24 cells that differ in exactly one edge."""
        check_cell(arch)
        return [(*arch[:edge], op, *arch[edge + 1 :]) for edge in range(len(EDGES)) for op in OPS if op != arch[edge]]

    def parse(self, text: str) -> Cell:
        """The cell of an official string `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`.

        Raises:
            InputError: for anything else; it names the first offending part and its position, counted from 1.
        """
        return parse_cell(text)

    def format(self, arch: Cell) -> str:
        """The official string."""
        check_cell(arch)
        return format_cell(arch)

    def key(self, arch: Cell) -> str:
        """The canonical key: equal exactly for cells that compute the same function for corresponding weights.

        Such cells may still differ in cost, and in scores that look at every layer: an operation that does not reach
        the output is computed nevertheless. See `wrcor_ext.spaces.nasbench201_key` for the rules.
        """
        check_cell(arch)
        return canonical_key(arch)

    def cost(
        self,
        arch: Cell,
        *,
        counting: Counting = "exact",
        num_classes: int | None = None,
        image_size: int | None = None,
        stem_width: int | None = None,
        cells_per_stage: int | None = None,
        batch_norm: bool | None = None,
    ) -> Cost:
        """Multiply-adds of one image, trainable parameters, peak memory of its activations, layers.

        Args:
            arch: the cell.
            counting: "exact" counts convolutions and the classifier; "published" counts as the tables of
                NAS-Bench-Suite-Zero do, batch-norms, activations and poolings included.
            num_classes: in place of the space's own, like all that follow.
            image_size: side in pixels.
            stem_width: C.
            cells_per_stage: N.
            batch_norm: False leaves every batch-norm out.

        Raises:
            InputError: for a value that is no cell, or an option out of range.
        """
        check_cell(arch)
        shape = self._shape(
            num_classes=num_classes,
            image_size=image_size,
            stem_width=stem_width,
            cells_per_stage=cells_per_stage,
            batch_norm=batch_norm,
        )
        return dataclasses.replace(_counted(arch, shape, counting), memory=network_memory(arch, shape))

    def build(
        self,
        arch: Cell,
        *,
        num_classes: int | None = None,
        seed: int | None = None,
        stem_width: int | None = None,
        cells_per_stage: int | None = None,
        batch_norm: bool | None = None,
    ) -> nn.Module:
        """The network, images [B, 3, S, S] to logits [B, num_classes], S a multiple of 4.

        Initialised as published, which is PyTorch's default: convolutions and classifier uniform in +-1/sqrt(fan_in),
        batch-norms at weight 1 and offset 0.

        Args:
            arch: the cell.
            num_classes: width of the classifier; the space's own if None, like all but `seed`.
            seed: draws the weights from a private generator with this seed, leaving torch's global one untouched;
                None draws them from the global one.
            stem_width: C.
            cells_per_stage: N.
            batch_norm: False leaves every batch-norm out.

        Raises:
            InputError: for a value that is no cell, or an option out of range.
        """
        from wrcor_ext.spaces.nets.nasbench201 import TinyNetwork
        from wrcor_ext.spaces.seeding import private_rng

        check_cell(arch)
        shape = self._shape(
            num_classes=num_classes, stem_width=stem_width, cells_per_stage=cells_per_stage, batch_norm=batch_norm
        )
        with private_rng(seed):
            return TinyNetwork(
                arch,
                shape.num_classes,
                stem_width=shape.stem_width,
                cells_per_stage=shape.cells_per_stage,
                batch_norm=shape.batch_norm,
            )

    def enumerate(self) -> Iterator[Cell]:
        """All cells in the official order: the n-th has index n in NAS-Bench-201 and NATS-Bench."""
        return iter(official_order())

    def encoding(self) -> Encoding[Cell]:
        """One variable for each edge, `edge_1_0` the one that leads to node 1 from node 0, of five operations."""
        return GridEncoding([Variable(f"edge_{node}_{source}", OPS) for node, source in EDGES], _checked, tuple)

    def _cost_for(self, limits: Limits | None) -> Callable[[Cell], Cost]:
        """What counts as much of valid cells as `limits` ask for."""
        if limits is not None and limits.memory is not None:
            return self.cost
        return lambda arch: _counted(arch, self.shape, "exact")

    def _shape(self, **overrides: int | None) -> NetworkShape:
        """The space's network shape with those options replaced that are not None."""
        given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
        return dataclasses.replace(self.shape, **given) if given else self.shape


def _checked(cell: Cell) -> Cell:
    check_cell(cell)
    return cell


def _counted(cell: Cell, shape: NetworkShape, counting: Counting) -> Cost:
    """The cost of a valid cell's network but for its memory."""
    edges = (cell.count(op) for op in ("nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"))
    return network_cost(*edges, shape=shape, counting=counting)
