"""Networks of inverted residuals (Sandler et al., CVPR 2018, arXiv 1801.04381) for the small tabular spaces."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ConvBN(nn.Sequential):
    """Convolution without bias, batch-norm, ReLU unless `linear`: [B, c_in, H, W] to [B, c_out, H/stride, W/stride]."""

    def __init__(
        self, in_width: int, out_width: int, kernel: int, *, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__(
            nn.Conv2d(in_width, out_width, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(out_width),
            *([] if linear else [nn.ReLU(inplace=True)]),  # nobody else reads the batch-norm's output
        )


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution with the stride, linear projection; a shortcut where the shape is kept."""

    def __init__(self, in_width: int, inner_width: int, out_width: int, *, kernel: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            ConvBN(in_width, inner_width, 1),
            ConvBN(inner_width, inner_width, kernel, stride=stride, groups=inner_width),
            ConvBN(inner_width, out_width, 1, linear=True),
        )
        self.has_shortcut = stride == 1 and in_width == out_width

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.residual(x)
        return x + residual if self.has_shortcut else residual


class LayeredNetwork(nn.Module):
    """Layers, global pooling, classifier: images [B, 3, S, S] to logits [B, num_classes].

    Args:
        layers: stem, blocks and head; each is a level of the scores.
        width: channels of the last of them.
        num_classes: width of the classifier.
    """

    def __init__(self, layers: Sequence[nn.Module], width: int, num_classes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for layer in self.layers:
            x = layer(x)
        logits: Tensor = self.classifier(torch.flatten(self.global_pooling(x), 1))
        return logits
