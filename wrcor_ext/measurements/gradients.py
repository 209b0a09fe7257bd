"""Gradients that are there whether something depends on the tensors or not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def gradients(total: Tensor, of: Sequence[Tensor]) -> Sequence[Tensor]:
    """The gradient of `total`, a scalar, with respect to each tensor: zero where it does not depend on one."""
    if not total.requires_grad:
        return [torch.zeros_like(tensor) for tensor in of]
    return torch.autograd.grad(total, of, allow_unused=True, materialize_grads=True)
