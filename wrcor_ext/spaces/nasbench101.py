"""NAS-Bench-101 (Ying et al., ICML 2019, arXiv 1902.09635) as a search space."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.base import Cost, Counting, Limits, Space, draw_within, require_number
from wrcor_ext.spaces.encoding import Encoding
from wrcor_ext.spaces.nasbench101_cell import OPS, SIZE, Cell, decode, encode, format_cell, parse_cell
from wrcor_ext.spaces.nasbench101_cost import NetworkShape, network_cost
from wrcor_ext.spaces.nasbench101_encoding import CellEncoding
from wrcor_ext.spaces.nasbench101_graph import unpack
from wrcor_ext.spaces.nasbench101_memory import network_memory
from wrcor_ext.spaces.nasbench101_mutation import mutate_code, neighbour_codes
from wrcor_ext.spaces.nasbench101_native import graph
from wrcor_ext.spaces.nasbench101_sampling import sample_code
from wrcor_ext.spaces.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn


@register("nasbench101", paper="Ying et al., NAS-Bench-101, ICML 2019, arXiv 1902.09635")
class NASBench101(Space[Cell]):
    """One cell, a graph of up to 7 vertices and 9 edges with three operations, in a fixed network: 423,624 cells.

    An architecture is a `Cell`, its text JSON with the matrix and the operations. As in the benchmark, vertices on no
    path from input to output do not count: every method prunes them first, and what a method returns has none. The
    options set the network's shape; `cost` and `build` can override each of them.

    Args:
        stem_width: channels of the stem and of the first stack; every further stack doubles them.
        stacks: number of stacks.
        cells_per_stack: equal cells in each stack.
        num_classes: width of the classifier.
        image_size: side of the square images in pixels.

    Raises:
        InputError: for an option out of range.
    """

    size = SIZE

    def __init__(
        self,
        *,
        stem_width: int = 128,
        stacks: int = 3,
        cells_per_stack: int = 3,
        num_classes: int = 10,
        image_size: int = 32,
    ) -> None:
        self.shape = NetworkShape(stem_width, stacks, cells_per_stack, num_classes, image_size)
        self.default_num_classes = num_classes
        self.default_image_size = image_size

    def sample(self, rng: np.random.Generator, *, limits: Limits | None = None) -> Cell:
        """A random cell, uniform over the 423,624 or over those within the limits.

        Of the isomorphic forms of a cell it is always the one that `enumerate` lists.

        Raises:
            InputError: if none within the limits was found.
        """
        cost = self._cost_for(limits)
        return decode(draw_within(lambda: sample_code(rng), cost, limits))

    def mutate(self, arch: Cell, rng: np.random.Generator, *, limits: Limits | None = None) -> Cell:
        """A cell with another key in which one operation or one edge is another, within the limits.

        The two kinds have equal chances, and so have the changes of a kind. An added edge may lead through a vertex of
        its own; see `wrcor_ext.spaces.nasbench101_mutation`.

        Raises:
            InputError: if no neighbour is within the limits.
        """
        cost = self._cost_for(limits)
        found = mutate_code(encode(arch), rng, lambda code: limits is None or limits.admits(cost(code)))
        if found is None:
            raise InputError(f"no neighbour of {format_cell(arch)} keeps {limits}")
        return decode(found)

    def neighbours(self, arch: Cell) -> list[Cell]:
        """All cells with another key in which one operation or one edge is another, one of each key."""
        return [decode(code) for code in neighbour_codes(encode(arch))]

    def parse(self, text: str) -> Cell:
        """The cell of a JSON text `{"matrix": [[0, 1, ...], ...], "ops": ["input", ..., "output"]}`, pruned.

        Raises:
            InputError: for anything else; it names the first offending part and its position, counted from 0 within
                `matrix` and `ops`.
        """
        return parse_cell(text)

    def format(self, arch: Cell) -> str:
        """The JSON text of the cell, pruned, in one line."""
        return format_cell(arch)

    def key(self, arch: Cell) -> str:
        """The benchmark's hash, 32 hexadecimal digits: equal exactly for cells that are isomorphic once pruned.

        Isomorphic cells may differ a little in cost: where the output's channels do not divide evenly, the vertices
        with the lowest numbers get what is left over.
        """
        return graph.cell_hash(encode(arch))

    def cost(
        self,
        arch: Cell,
        *,
        counting: Counting = "exact",
        num_classes: int | None = None,
        image_size: int | None = None,
        stem_width: int | None = None,
        stacks: int | None = None,
        cells_per_stack: int | None = None,
    ) -> Cost:
        """Multiply-adds of one image, trainable parameters, peak memory of its activations, layers.

        Args:
            arch: the cell.
            counting: "exact" counts convolutions and the classifier; "published" is the same, because the benchmark
                publishes parameters alone, and these are exact.
            num_classes: in place of the space's own, like all that follow.
            image_size: side in pixels.
            stem_width: channels of the stem and of the first stack.
            stacks: number of stacks.
            cells_per_stack: equal cells in each stack.

        Raises:
            InputError: for a value that is no cell, or an option out of range.
        """
        shape = self._shape(
            num_classes=num_classes,
            image_size=image_size,
            stem_width=stem_width,
            stacks=stacks,
            cells_per_stack=cells_per_stack,
        )
        return _full_cost(encode(arch), shape, counting)

    def build(
        self,
        arch: Cell,
        *,
        num_classes: int | None = None,
        seed: int | None = None,
        stem_width: int | None = None,
        stacks: int | None = None,
        cells_per_stack: int | None = None,
    ) -> nn.Module:
        """The network, images [B, 3, S, S] to logits [B, num_classes], S at least 2^(stacks - 1).

        Initialised as published: convolutions normal(0, sqrt(2 / (k k c_out))), batch-norms at weight 1 and offset 0,
        the classifier normal(0, 0.01) without offset.

        Args:
            arch: the cell.
            num_classes: width of the classifier; the space's own if None, like all but `seed`.
            seed: draws the weights from a private generator with this seed, leaving torch's global one untouched;
                None draws them from the global one.
            stem_width: channels of the stem and of the first stack.
            stacks: number of stacks.
            cells_per_stack: equal cells in each stack.

        Raises:
            InputError: for a value that is no cell, or an option out of range.
        """
        from wrcor_ext.spaces.nets.nasbench101 import Network
        from wrcor_ext.spaces.seeding import private_rng

        sources, labels = unpack(encode(arch))
        shape = self._shape(
            num_classes=num_classes, stem_width=stem_width, stacks=stacks, cells_per_stack=cells_per_stack
        )
        with private_rng(seed):
            return Network(sources, [OPS[label] for label in labels], shape)

    def enumerate(self) -> Iterator[Cell]:
        """All cells in the order of the benchmark's generator, each in the form in which that meets it first."""
        return (decode(int(code)) for code in _codes())

    @property
    def nth_count(self) -> int:
        """All have numbers."""
        return SIZE

    def nth(self, number: int) -> Cell:
        """The cell at `number`, counted from 0, in the order of `enumerate`.

        Raises:
            InputError: for a number that is not below `nth_count`.
        """
        require_number(number, SIZE)
        return decode(int(_codes()[number]))

    def encoding(self) -> Encoding[Cell]:
        """The benchmark's own picture, a 7 x 7 matrix: 21 edges that are there or not, then five operations."""
        return CellEncoding()

    def _cost_for(self, limits: Limits | None) -> Callable[[int], Cost]:
        """What counts as much of the cells of pruned codes as `limits` ask for."""
        count = network_cost if limits is None or limits.memory is None else _full_cost
        return lambda code: count(code, self.shape, "exact")

    def _shape(self, **overrides: int | None) -> NetworkShape:
        """The space's network shape with those options replaced that are not None."""
        given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
        return dataclasses.replace(self.shape, **given) if given else self.shape


def _full_cost(code: int, shape: NetworkShape, counting: Counting) -> Cost:
    return dataclasses.replace(network_cost(code, shape, counting), memory=network_memory(code, shape))


@lru_cache(maxsize=1)
def _codes() -> NDArray[np.uint64]:
    """The codes of all cells in order: 3.4 MB, which take seconds where nothing is compiled."""
    return graph.enumerate_codes()
