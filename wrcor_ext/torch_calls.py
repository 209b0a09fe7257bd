"""The arguments of torch's layer functions, by torch's names and defaults: for whoever stands in for a call of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class BatchNormCall(NamedTuple):
    """Of `F.batch_norm`, in its order."""

    input: Tensor
    running_mean: Tensor | None
    running_var: Tensor | None
    weight: Tensor | None = None
    bias: Tensor | None = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5


class ConvolutionCall(NamedTuple):
    """Of `F.conv1d`, `F.conv2d` and `F.conv3d`, in their order."""

    input: Tensor
    weight: Tensor
    bias: Tensor | None = None
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether the input has images, and the padding is given in numbers."""
        return not isinstance(self.padding, str) and self.input.dim() == self.weight.dim()


def _native_batch_norm(
    input: Tensor,  # noqa: A002  as torch names it
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> BatchNormCall:
    return BatchNormCall(input, running_mean, running_var, weight, bias, training, momentum, eps)


# The functional form calls the other one, but only the outer call of the two is seen by a function mode.
BATCH_NORMS: Mapping[Callable[..., Any], Callable[..., BatchNormCall]] = {
    F.batch_norm: BatchNormCall,
    torch.batch_norm: _native_batch_norm,
}
