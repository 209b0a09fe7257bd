"""The NAS-Bench-101 network (Ying et al., ICML 2019, arXiv 1902.09635, section 2 and supplement S1).

Shapes below are for images `[B, 3, S, S]` and stem width C: stacks of equal cells, the channels doubling and the
resolution halving (2x2 max-pooling) from stack to stack.

Class names, the container's name `layers` and the order of `parameters()` are part of the contract: the published
scores match modules by class name (`Relu` in a composite's name does not match), count levels over `layers`, stem and
poolings included, and golden weights are filled in parameter order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wrcor_ext.spaces.nasbench101_cost import NetworkShape, vertex_channels

_KERNEL_SIZES = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}


class ConvBnRelu(nn.Sequential):
    """Convolution without bias, batch-norm, ReLU: every convolution of the space."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
            nn.BatchNorm2d(out_channels),
            # Not in place: the published scores see the responses before the activation.
            nn.ReLU(inplace=False),
        )


def _operation(op: str, channels: int) -> nn.Module:
    """The module of an inner vertex."""
    if op in _KERNEL_SIZES:
        return ConvBnRelu(channels, channels, _KERNEL_SIZES[op])
    return nn.MaxPool2d(3, stride=1, padding=1)


class Cell(nn.Module):
    """One cell, [B, in_channels, S, S] to [B, out_channels, S, S].

    An inner vertex adds its inputs and applies its operation. Inputs from other inner vertices are truncated to the
    vertex's channels, the cell's input is projected to them by a 1x1 convolution. The output concatenates its inputs,
    and adds the projected cell input where there is an edge from input to output.

    Args:
        sources: per vertex its in-neighbours, bit s for the edge s -> vertex; vertex 0 is the input, the last one the
            output.
        ops: operations of the inner vertices.
        in_channels: of the input.
        out_channels: of the output.
    """

    def __init__(self, sources: Sequence[int], ops: Sequence[str], in_channels: int, out_channels: int) -> None:
        super().__init__()
        self._channels = vertex_channels(in_channels, out_channels, sources)
        # Per vertex the inner vertices among its in-neighbours.
        self._inner = [[s for s in range(1, vertex) if mask >> s & 1] for vertex, mask in enumerate(sources)]
        self.vertices = nn.ModuleDict({str(v): _operation(op, self._channels[v]) for v, op in enumerate(ops, start=1)})
        self.projections = nn.ModuleDict(
            {str(v): ConvBnRelu(in_channels, self._channels[v], 1) for v, mask in enumerate(sources) if mask & 1}
        )

    def forward(self, x: Tensor) -> Tensor:
        output = len(self._channels) - 1
        values = [x]
        for vertex in range(1, output):
            terms = [values[source][:, : self._channels[vertex]] for source in self._inner[vertex]]
            if str(vertex) in self.projections:
                terms.append(self.projections[str(vertex)](x))
            values.append(self.vertices[str(vertex)](_sum(terms)))
        terms = [torch.cat([values[source] for source in self._inner[output]], 1)] if self._inner[output] else []
        if str(output) in self.projections:
            terms.append(self.projections[str(output)](x))
        return _sum(terms)


def _sum(terms: Sequence[Tensor]) -> Tensor:
    # Never in place: a term is the output of a ReLU, which autograd keeps for the backward.
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


class Network(nn.Module):
    """The whole network; `forward` takes images [B, 3, S, S] and returns logits [B, num_classes].

    Initialised as published: convolutions normal(0, sqrt(2 / (k k c_out))), batch-norms at weight 1 and offset 0, the
    classifier normal(0, 0.01) without offset.

    Args:
        sources: the cell's edges, as in `Cell`.
        ops: the operations of its inner vertices.
        shape: everything else; its image size plays no part.
    """

    def __init__(self, sources: Sequence[int], ops: Sequence[str], shape: NetworkShape) -> None:
        super().__init__()
        channels = shape.stem_width
        self.layers = nn.ModuleList([ConvBnRelu(3, channels, 3)])
        in_channels = channels
        for stack in range(shape.stacks):
            if stack > 0:
                self.layers.append(nn.MaxPool2d(2, stride=2))
                channels *= 2
            for _ in range(shape.cells_per_stack):
                self.layers.append(Cell(sources, ops, in_channels, channels))
                in_channels = channels
        self.classifier = nn.Linear(channels, shape.num_classes)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
                nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_out))
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0.0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.classifier(x.mean((2, 3)))
        return logits
