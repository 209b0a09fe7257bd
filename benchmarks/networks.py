"""The networks that whole scores are measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from shapes import CLASSES, IMAGE_SIZES
from torch import Tensor, nn

from wrcor_ext import spaces

BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "nasbench201": lambda: spaces.get("nasbench201").build(("nor_conv_3x3",) * 6, num_classes=CLASSES, seed=0),
    "nasbench101": lambda: _drawn("nasbench101"),
    "mobilenetv2": lambda: _drawn("mobilenetv2"),
}
_NAMES = {"nasbench201": "nasbench201 all-conv"}


@dataclass(frozen=True)
class Network:
    """A network and a batch.

    Attributes:
        name: for the table.
        model: as it was built: parameters require gradients.
        frozen: the same network without parameter gradients, as the scorer has it, in training mode.
        images: [N, 3, S, S] float32, NCHW.
        placed: the same in the layout that the scorer chooses.
        labels: [N] int64.
    """

    name: str
    model: nn.Module
    frozen: nn.Module
    images: Tensor
    placed: Tensor
    labels: Tensor


def network(name: str, batch: int, device: torch.device) -> Network:
    """The network of a space with random images of the size that it is made for."""
    size = IMAGE_SIZES[name]
    images = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    placed = images.contiguous(memory_format=torch.channels_last) if device.type == "cpu" else images
    labels = (torch.arange(batch) % CLASSES).to(device)
    model, frozen = (BUILDERS[name]().to(device).train() for _ in range(2))
    return Network(_NAMES.get(name, name), model, frozen.requires_grad_(False), images, placed, labels)


def _drawn(name: str) -> nn.Module:
    space = spaces.get(name)
    return space.build(space.sample(np.random.default_rng(0)), num_classes=CLASSES, seed=0)
