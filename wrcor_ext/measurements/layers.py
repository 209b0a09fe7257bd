"""The calls of layers in a forward: what they compute, and the gradients of single images that follow from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv1d_weight, conv2d_weight, conv3d_weight

from wrcor_ext.measurements.frozen_norms import batch_statistics
from wrcor_ext.torch_calls import BatchNormCall, ConvolutionCall


class Layer(ABC):
    """A call of a layer's function; calling it with a weight and a bias computes the output.

    Attributes:
        input: [N, ...].
        weight: None if there is none.
        bias: likewise.
    """

    def __init__(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> None:
        self.input = x
        self.weight = weight
        self.bias = bias

    def freeze(self) -> tuple[Tensor, Tensor] | None:
        """Makes a batch-norm with the statistics of its input one that has them for constants; None of any other layer.

        Returns:
            Mean [C] and (biased) variance [C].
        """
        return None

    @abstractmethod
    def __call__(self, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        """The output with these parameters."""

    @abstractmethod
    def weight_gradients(self, gradient: Tensor, rows: int) -> Iterator[Tensor]:
        """The gradients [N, values] of the weight from that of the output, for so many rows of the weight at a time."""

    @abstractmethod
    def bias_gradients(self, gradient: Tensor) -> Tensor:
        """The gradients [N, values] of the bias from that of the output."""


class _Convolution(Layer):
    """Of one, two or three dimensions."""

    def __init__(
        self, function: Callable[..., Tensor], x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any
    ) -> None:
        super().__init__(x, weight, bias)
        self._function = function
        self._shape = weight.shape
        self._rest = rest

    def __call__(self, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        return self._function(self.input, weight, bias, *self._rest)

    def weight_gradients(self, gradient: Tensor, rows: int) -> Iterator[Tensor]:
        """Image after image: on a CPU that is several times as fast as unfolding the input."""
        of_weight, groups = _CONVOLUTIONS[self._function], self._rest[-1]
        for part in gradient.split(rows if groups == 1 else gradient.shape[1], 1):
            shape = torch.Size([part.shape[1], *self._shape[1:]])
            block = part.new_empty(len(part), *shape)
            for i, image in enumerate(block):
                image.copy_(of_weight(self.input[i : i + 1], shape, part[i : i + 1], *self._rest))
            yield block.flatten(1)

    def bias_gradients(self, gradient: Tensor) -> Tensor:
        return gradient.flatten(2).sum(2)


class _Linear(Layer):
    """With any number of dimensions between the images and the features."""

    def __call__(self, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        assert weight is not None
        return F.linear(self.input, weight, bias)

    def weight_gradients(self, gradient: Tensor, rows: int) -> Iterator[Tensor]:
        x = _with_positions(self.input)
        for part in _with_positions(gradient).split(rows, 2):
            yield (part.transpose(1, 2) @ x).flatten(1)

    def bias_gradients(self, gradient: Tensor) -> Tensor:
        return _with_positions(gradient).sum(1)


class _Norm(Layer):
    """Batch, layer or group normalisation, whose weight and bias are one number per channel or feature."""

    def __init__(
        self,
        function: Callable[..., Tensor],
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        positions: slice,
        **rest: Any,
    ) -> None:
        super().__init__(x, weight, bias)
        self._function = function
        self._positions = list(range(x.dim())[positions])
        self._rest = rest

    def __call__(self, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        return self._function(self.input, weight=weight, bias=bias, **self._rest)

    def weight_gradients(self, gradient: Tensor, rows: int) -> Iterator[Tensor]:
        yield self.bias_gradients(gradient * self(None, None))

    def bias_gradients(self, gradient: Tensor) -> Tensor:
        # An empty list would be all dimensions.
        return (gradient.sum(self._positions) if self._positions else gradient).flatten(1)

    def freeze(self) -> tuple[Tensor, Tensor] | None:
        if not self._rest.get("training"):
            return None
        mean, variance = batch_statistics(self.input)
        self._rest |= {"running_mean": mean, "running_var": variance, "training": False}
        return mean, variance


def _with_positions(x: Tensor) -> Tensor:
    """[N, positions, features]."""
    return x[:, None] if x.dim() == 2 else x.flatten(1, -2)


# The signatures are torch's.


def _convolution(function: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Layer | None:
    call = ConvolutionCall(*args, **kwargs)
    return _Convolution(function, *call) if call.is_plain else None


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Layer | None:  # noqa: A002
    return _Linear(input, weight, bias) if input.dim() > 1 and weight.dim() == 2 else None


def _batch_norm(*args: Any, **kwargs: Any) -> Layer:
    x, running_mean, running_var, weight, bias, training, _, eps = BatchNormCall(*args, **kwargs)
    of = {"running_mean": running_mean, "running_var": running_var, "training": training, "eps": eps}
    return _Norm(F.batch_norm, x, weight, bias, slice(2, None), **of)


def _layer_norm(
    input: Tensor,  # noqa: A002
    normalized_shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Layer:
    positions = slice(1, -len(normalized_shape))
    return _Norm(F.layer_norm, input, weight, bias, positions, normalized_shape=normalized_shape, eps=eps)


def _group_norm(
    input: Tensor,  # noqa: A002
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Layer:
    return _Norm(F.group_norm, input, weight, bias, slice(2, None), num_groups=num_groups, eps=eps)


_CONVOLUTIONS: Mapping[Callable[..., Tensor], Callable[..., Tensor]] = {
    F.conv1d: conv1d_weight,
    F.conv2d: conv2d_weight,
    F.conv3d: conv3d_weight,
}

READERS: Mapping[Callable[..., Any], Callable[..., Layer | None]] = {
    **{function: partial(_convolution, function) for function in _CONVOLUTIONS},
    F.linear: _linear,
    F.batch_norm: _batch_norm,
    F.layer_norm: _layer_norm,
    F.group_norm: _group_norm,
}
"""Per function the layer that a call of it with the same arguments is; None for a call that is not supported."""
