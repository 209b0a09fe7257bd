"""Statistics of features in full precision, whatever the pass around them runs in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Neither autocast nor a graph: for small computations inside the shared forward."""
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        yield


def at_least_float32(x: torch.Tensor) -> torch.Tensor:
    """`x` without its graph, in float32 where it is narrower."""
    return x.detach().to(torch.promote_types(x.dtype, torch.float32))
