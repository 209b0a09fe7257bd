"""Peak memory of activations of NAS-Bench-201 networks, without building one; the rules are those of `liveness`."""

from __future__ import annotations

from functools import lru_cache

from wrcor_ext.spaces.liveness import BYTES, Steps, peak
from wrcor_ext.spaces.nasbench201_cell import EDGES, SIZE, Cell
from wrcor_ext.spaces.nasbench201_cost import NetworkShape


def network_memory(cell: Cell, shape: NetworkShape) -> int:
    """Peak bytes of the activations of one image in the network with this cell.

    Nothing is there between two parts of the network but the one's output, so the fullest part decides. From stage to
    stage the tensors get half as large: the first stage stands for all, and the first reduction for both.
    """
    channels, pixels = shape.stem_width, shape.image_size**2
    node = channels * pixels
    last = 4 * channels
    return BYTES * max(
        3 * pixels + node,  # the stem
        _nodes(cell) * node,
        node
        + node
        + node // 2,  # a reduction's first convolution: its input, which the shortcut needs, the ReLU of that
        last * (pixels // 16) + last,  # the global pooling
        last + shape.num_classes,  # the classifier
    )


@lru_cache(maxsize=SIZE)
def _nodes(cell: Cell) -> int:
    """The most tensors of a cell that are there at the same time; they are all of one size."""
    steps: Steps[int] = Steps()
    nodes = [steps.given(1)]
    for node in (1, 2, 3):
        value: int | None = None
        for op, source in _incoming(cell, node):
            term = nodes[source]
            if op == "avg_pool_3x3":
                term = steps.make(1, term)
            elif op != "skip_connect":
                term = steps.make(1, steps.map(term))  # ReLU, convolution
            value = term if value is None else steps.make(1, value, term)
        nodes.append(steps.map(nodes[0]) if value is None else value)
    return peak(steps, nodes[-1])


def _incoming(cell: Cell, node: int) -> list[tuple[str, int]]:
    """Operation and source of the edges into a node that carry something."""
    return [(op, source) for op, (target, source) in zip(cell, EDGES, strict=True) if target == node and op != "none"]
