"""The NAS-Bench-201 network (Dong & Yang, ICLR 2020, arXiv 2001.00326, section 2.1 and figure 1).

Shapes below are for images `[B, 3, S, S]` and stem width C: three stages of N equal cells at C, 2C and 4C channels
and S, S/2 and S/4 pixels, with a residual block of stride 2 between them.

Class names and the order of `parameters()` are part of the contract: the published scores match modules by class
name (`ReLUConvBN`), and golden weights are filled in parameter order.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

KERNEL_SIZES = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


def _norm(channels: int, batch_norm: bool) -> list[nn.Module]:
    """The batch-norm that ends a composite, or nothing: unpack it into an `nn.Sequential`."""
    return [nn.BatchNorm2d(channels)] if batch_norm else []


class ReLUConvBN(nn.Sequential):
    """ReLU, convolution without bias, batch-norm: every convolution of the space but the stem and the shortcuts."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, batch_norm: bool = True
    ) -> None:
        super().__init__(
            # Not in place: the input is a node that feeds other edges as well.
            nn.ReLU(inplace=False),
            nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False),
            *_norm(out_channels, batch_norm),
        )


def _edge(op: str, channels: int, batch_norm: bool) -> nn.Module:
    """The module of one edge; `none` edges have no module at all."""
    if op == "skip_connect":
        return nn.Identity()
    if op == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return ReLUConvBN(channels, channels, KERNEL_SIZES[op], batch_norm=batch_norm)


class InferCell(nn.Module):
    """One cell: four nodes, the sum of its incoming edges each; node 0 is the input, node 3 the output.

    Args:
        ops: the six operations, edges ordered 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2.
        channels: channels of every node; a cell changes neither the channels nor the resolution.
        batch_norm: whether convolutions are followed by batch-norm.
    """

    def __init__(self, ops: Sequence[str], channels: int, *, batch_norm: bool = True) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        # Per node 1..3 the (name, source node) of the edges that carry something.
        self._incoming: list[list[tuple[str, int]]] = []
        remaining = iter(ops)
        for node in (1, 2, 3):
            incoming = []
            for source in range(node):
                op = next(remaining)
                if op != "none":
                    name = f"{node}<-{source}"
                    self.edges[name] = _edge(op, channels, batch_norm)
                    incoming.append((name, source))
            self._incoming.append(incoming)

    def forward(self, x: Tensor) -> Tensor:
        # Every consumer of a node gets the same tensor object, and a node that is one skip of another *is* that
        # node's tensor: the recorder tells repeated responses by identity.
        nodes = [x]
        for incoming in self._incoming:
            value: Tensor | None = None
            for name, source in incoming:
                term = self.edges[name](nodes[source])
                value = term if value is None else value + term
            # A node without input is zero, and stays in the autograd graph so that the loss always reaches the stem.
            nodes.append(x * 0.0 if value is None else value)
        return nodes[-1]


class ResNetBasicblock(nn.Module):
    """The reduction cell: a pre-activation residual block, [B, C, S, S] to [B, 2C, ceil(S/2), ceil(S/2)].

    The shortcut (average pooling, 1x1 convolution) floors an odd S where the convolutions round up, so S is even.
    """

    def __init__(self, in_channels: int, out_channels: int, *, batch_norm: bool = True) -> None:
        super().__init__()
        self.conv_a = ReLUConvBN(in_channels, out_channels, 3, stride=2, batch_norm=batch_norm)
        self.conv_b = ReLUConvBN(out_channels, out_channels, 3, batch_norm=batch_norm)
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, padding=0), nn.Conv2d(in_channels, out_channels, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv_b(self.conv_a(x))
        shortcut: Tensor = self.shortcut(x)
        return shortcut + residual


class TinyNetwork(nn.Module):
    """The whole network; `forward` takes images [B, 3, S, S] and returns logits [B, num_classes].

    Args:
        ops: the six operations of every cell, in the order of `InferCell`.
        num_classes: width of the classifier.
        stem_width: C, the channels of the stem and of the first stage.
        cells_per_stage: N, cells in each of the three stages.
        batch_norm: False leaves every batch-norm out (convolutions stay without bias).
    """

    def __init__(
        self, ops: Sequence[str], num_classes: int, *, stem_width: int, cells_per_stage: int, batch_norm: bool
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, stem_width, 3, padding=1, bias=False), *_norm(stem_width, batch_norm))
        self.cells = nn.ModuleList()
        channels = stem_width
        for stage in range(3):
            if stage > 0:
                self.cells.append(ResNetBasicblock(channels, 2 * channels, batch_norm=batch_norm))
                channels *= 2
            self.cells.extend(InferCell(ops, channels, batch_norm=batch_norm) for _ in range(cells_per_stage))
        # In place where the batch-norm made its input; without one the input may be a tensor that others hold.
        self.lastact = nn.Sequential(*_norm(channels, batch_norm), nn.ReLU(inplace=batch_norm))
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for cell in self.cells:
            x = cell(x)
        x = self.global_pooling(self.lastact(x))
        logits: Tensor = self.classifier(torch.flatten(x, 1))
        return logits
