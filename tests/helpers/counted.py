"""FLOPs and parameters of a network by torch's own counters: the oracle for `Space.cost`."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from wrcor_ext.spaces import Cost, Space


def counted(space: Space[Any], arch: Any, *, num_classes: int, image_size: int) -> Cost:
    """Multiply-adds of one image and parameters of the network that `space` builds, without computing anything."""
    with torch.device("meta"):
        model = space.build(arch, num_classes=num_classes).eval()
    params = sum(p.numel() for p in model.parameters())
    _drop_uncounted(model)
    images = torch.empty(1, 3, image_size, image_size, device="meta")
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(images)
    flops, remainder = divmod(counter.get_total_flops(), 2)  # the counter counts two for a multiply-add
    assert remainder == 0
    return Cost(flops, params)


def flops_and_params(cost: Cost) -> Cost:
    """Of a cost what `counted` counts."""
    return Cost(cost.flops, cost.params)


def _drop_uncounted(module: nn.Module) -> None:
    """Drops modules that the counter counts as nothing and looks at for longer than at all others together."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d) or type(child).__name__.upper() == "RELU":
            setattr(module, name, nn.Identity())
        else:
            _drop_uncounted(child)
