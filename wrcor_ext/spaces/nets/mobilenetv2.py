"""The networks of the MobileNetV2 space: inverted residual blocks with squeeze-excite, after a stem, before a head.

Shapes below are for a network of resolution R: images `[B, 3, S, S]` are resized to `[B, 3, R, R]`, and the stem and
four of the seven blocks halve the side, so that the head works at R/32.

Class names, `block_list` and the order of `parameters()` are part of the contract: the published scores match modules
by class name, weigh responses by their position in `block_list`, and golden weights are filled in parameter order.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wrcor_ext.spaces.mobilenetv2_arch import Architecture, Block

_EPSILON = 1e-3


class RELU(nn.Module):
    """ReLU in place: every one of them follows a batch-norm or a sum, whose output nobody else reads.

    The name does not contain `ReLU`, so `rule="reference"` passes over it, as the published scores do.
    """

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x, inplace=True)


class SqueezeExcite(nn.Module):
    """Scales every channel of [B, C, H, W] by a gate from 0 to 1, computed from the channels' means."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1, bias=False),
            nn.BatchNorm2d(squeezed, eps=_EPSILON),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1, bias=False),
            nn.BatchNorm2d(channels, eps=_EPSILON),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = x * self.gate(x)
        return scaled


class ConvBNRELU(nn.Sequential):
    """Convolution without bias, batch-norm, ReLU: the stem, the head, and the first two thirds of a layer."""

    def __init__(self, in_width: int, out_width: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_width, out_width, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(out_width, eps=_EPSILON),
            RELU(),
        )


class Layer(nn.Module):
    """One inverted residual layer, [B, c_in, H, W] to [B, c_out, H/stride, W/stride].

    Args:
        block: kernel and widths.
        in_width: c_in.
        stride: of the depthwise convolution.
        projected: whether the shortcut is a 1x1 convolution with bias and batch-norm, not the identity.
    """

    def __init__(self, block: Block, in_width: int, *, stride: int, projected: bool) -> None:
        super().__init__()
        inner, out_width = block.inner_width, block.out_width
        self.expand = ConvBNRELU(in_width, inner, 1)
        self.depthwise = ConvBNRELU(inner, inner, block.kernel, stride=stride, groups=inner)
        self.squeeze_excite = SqueezeExcite(inner, block.squeezed_width)
        self.project = nn.Sequential(
            nn.Conv2d(inner, out_width, 1, bias=False), nn.BatchNorm2d(out_width, eps=_EPSILON)
        )
        self.shortcut: nn.Module = nn.Identity()
        if projected:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_width, out_width, 1, stride), nn.BatchNorm2d(out_width, eps=_EPSILON)
            )
        self.activation = RELU()

    def forward(self, x: Tensor) -> Tensor:
        residual = self.project(self.squeeze_excite(self.depthwise(self.expand(x))))
        out: Tensor = self.activation(residual + self.shortcut(x))
        return out


class SuperResIDW(nn.Sequential):
    """One block: equal layers, but that the first has the stride, the change of width and a projected shortcut."""

    def __init__(self, block: Block) -> None:
        super().__init__(
            Layer(block, block.in_width, stride=block.stride, projected=True),
            *(Layer(block, block.out_width, stride=1, projected=False) for _ in range(block.layers - 1)),
        )


class MasterNet(nn.Module):
    """The whole network; `forward` takes images [B, 3, S, S] and returns logits [B, num_classes].

    Args:
        arch: the architecture; its resolution is the one that images are resized to, bilinearly.
        num_classes: width of the classifier.
    """

    def __init__(self, arch: Architecture, num_classes: int) -> None:
        super().__init__()
        self.resolution = arch.resolution
        self.block_list = nn.ModuleList(
            [
                ConvBNRELU(3, arch.stem, 3, stride=2),
                *map(SuperResIDW, arch.blocks),
                ConvBNRELU(arch.blocks[-1].out_width, arch.head, 1),
            ]
        )
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(arch.head, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = images
        if x.shape[-2:] != (self.resolution, self.resolution):
            x = F.interpolate(x, size=(self.resolution, self.resolution), mode="bilinear", align_corners=False)
        for block in self.block_list:
            x = block(x)
        logits: Tensor = self.classifier(torch.flatten(self.global_pooling(x), 1))
        return logits
