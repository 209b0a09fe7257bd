"""Layers whose second derivatives take less work than torch's: for the Hessian, times a vector, times the weights.

torch differentiates the backward of a convolution and of a batch-norm in general terms. Here no convolution computes
the second derivative with respect to its weight: it is linear in it, so that the product of the two follows from what
is computed anyway. And the second derivative of a batch-norm is made of first ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function
from torch.overrides import TorchFunctionMode

from wrcor_ext.torch_calls import BatchNormCall, ConvolutionCall


class SecondDerivatives(TorchFunctionMode):
    """Context manager around a forward whose backward will be differentiated, once.

    Let P be a function of the gradients with respect to weights w, from a first backward with `create_graph=True`. A
    second one, from P, gives the derivative of P along w, dP(w + t w)/dt at t = 0, in two parts: `along_weights` for
    the calls of convolutions, and for all other uses the product of w and the gradient that torch returns.

    Hard sigmoids are expressed by what has a second derivative in torch, as they have none.

    Attributes:
        along_weights: a float64 scalar, complete after the second backward.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.along_weights = torch.zeros((), dtype=torch.float64, device=device)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _CONVOLUTIONS:
            return self._convolution(func, ConvolutionCall(*args, **(kwargs or {})))
        return _OTHERS.get(func, func)(*args, **(kwargs or {}))

    def _convolution(self, function: Callable[..., Tensor], call: ConvolutionCall) -> Tensor:
        x, weight, bias, stride, padding, dilation, groups = call
        if not weight.requires_grad or not call.is_plain:
            return function(*call)
        dimensions = x.dim() - 2
        each = [[v] * dimensions if isinstance(v, int) else list(v) for v in (stride, padding, dilation)]
        out: Tensor = _Convolution.apply(x, weight, _Geometry(each[0], each[1], each[2], groups), self)
        return out if bias is None else out + bias.view(-1, *[1] * dimensions)

    def add(self, one: Tensor, other: Tensor) -> None:
        """Adds the sum of products of two tensors [N, ...] to `along_weights`."""
        self.along_weights += (one * other).flatten(1).sum(1).sum(dtype=torch.float64)


class _Geometry(NamedTuple):
    stride: list[int]
    padding: list[int]
    dilation: list[int]
    groups: int

    def output(self, x: Tensor, weight: Tensor) -> Tensor:
        """The convolution."""
        stride, padding, dilation, groups = self
        return torch.convolution(x, weight, None, stride, padding, dilation, False, [0] * len(stride), groups)

    def gradients(self, gradient: Tensor, x: Tensor, weight: Tensor, wanted: list[bool]) -> list[Tensor | None]:
        """Those of x and of the weight, as far as wanted, from that of the output."""
        stride, padding, dilation, groups = self
        found = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, stride, padding, dilation, False, [0] * len(stride), groups, [*wanted, False]
        )
        return [gradient if want else None for gradient, want in zip(found, wanted, strict=False)]


class _Convolution(Function):
    """Without a bias."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, geometry: _Geometry, second: SecondDerivatives) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry, ctx.second = geometry, second
        return geometry.output(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        if torch.is_grad_enabled():  # the first backward
            wanted = [ctx.needs_input_grad[0], True]
            return *_ConvolutionBackward.apply(gradient, x, weight, ctx.geometry, ctx.second, wanted), None, None
        of_x, _ = ctx.geometry.gradients(gradient, x, weight, [True, False])
        ctx.second.add(of_x, x)  # gradient times output
        return of_x, None, None, None


class _ConvolutionBackward(Function):
    @staticmethod
    def forward(
        ctx: Any,
        gradient: Tensor,
        x: Tensor,
        weight: Tensor,
        geometry: _Geometry,
        second: SecondDerivatives,
        wanted: list[bool],
    ) -> tuple[Tensor | None, ...]:
        ctx.save_for_backward(gradient, x, weight)
        ctx.geometry, ctx.second = geometry, second
        ctx.set_materialize_grads(False)
        return tuple(geometry.gradients(gradient, x, weight, wanted))

    @staticmethod
    def backward(ctx: Any, along_x: Tensor | None, along_weight: Tensor | None) -> tuple[Tensor | None, ...]:
        gradient, x, weight = ctx.saved_tensors
        of_gradient, of_x = None, None
        if along_x is not None:
            of_gradient = ctx.geometry.output(along_x, weight)
            ctx.second.add(of_gradient, gradient)
        if along_weight is not None:
            other = ctx.geometry.output(x, along_weight)
            of_gradient = other if of_gradient is None else of_gradient + other
            if ctx.needs_input_grad[1]:
                of_x, _ = ctx.geometry.gradients(gradient, x, along_weight, [True, False])
        return of_gradient, of_x, None, None, None, None


def _batch_norm(*args: Any, **kwargs: Any) -> Tensor:
    call = BatchNormCall(*args, **kwargs)
    constant = all(p is None or not p.requires_grad for p in (call.weight, call.bias))
    # The statistics of narrower types are float32.
    if not (call.training and constant and call.input.dtype in (torch.float32, torch.float64)):
        return F.batch_norm(*call)
    weight = call.input.new_ones(call.input.shape[1]) if call.weight is None else call.weight
    out: Tensor = _BatchNorm.apply(call.input, weight, call.bias, call.eps)
    return out


class _BatchNorm(Function):
    """With the statistics of the batch, and constants for weight and bias."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> Tensor:
        out, mean, inverse = torch.native_batch_norm(x, weight, bias, None, None, True, 0.0, eps)
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.eps = eps
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return _BatchNormBackward.apply(gradient, *ctx.saved_tensors, ctx.eps), None, None, None


class _BatchNormBackward(Function):
    @staticmethod
    def forward(
        ctx: Any, gradient: Tensor, x: Tensor, weight: Tensor, mean: Tensor, inverse: Tensor, eps: float
    ) -> Tensor:
        of_x, of_weight = _of_batch_norm(gradient, x, weight, mean, inverse, eps)
        ctx.save_for_backward(x, weight, mean, inverse, of_x, of_weight)
        ctx.eps = eps
        return of_x

    @staticmethod
    def backward(ctx: Any, along: Tensor) -> tuple[Tensor | None, ...]:
        """With B(g) the gradient of x for the gradient g of the output, and u the normalised x: from the product aB(g).

        Its gradient with respect to g is B(a), since B is symmetric. That with respect to x is, per channel,
        -(mean(gu) B(a) + mean(au) B(g) + mean(aB(g)) u) / standard deviation.
        """
        x, weight, mean, inverse, of_x, of_weight = ctx.saved_tensors
        of_along, along_weight = _of_batch_norm(along, x, weight, mean, inverse, ctx.eps)
        shape = [1, -1, *[1] * (x.dim() - 2)]
        values = x.numel() // x.shape[1]
        product = (along * of_x).sum([d for d in range(x.dim()) if d != 1])
        scales = (-inverse / values * factor for factor in (of_weight, along_weight, product * inverse))
        on_along, on_x, on_input = (scale.view(shape) for scale in scales)
        of_input = torch.addcmul(-on_input * mean.view(shape), x, on_input)
        return of_along, of_input.addcmul_(of_along, on_along).addcmul_(of_x, on_x), None, None, None, None


def _of_batch_norm(
    gradient: Tensor, x: Tensor, weight: Tensor, mean: Tensor, inverse: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """The gradients of the input and of the weight."""
    of_x, of_weight, _ = torch.ops.aten.native_batch_norm_backward(
        gradient, x, weight, None, None, mean, inverse, True, eps, [True, True, False]
    )
    return of_x, of_weight


def _hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:  # noqa: A002  torch's own name
    out = F.relu6(input + 3) / 6
    return input.copy_(out) if inplace else out


_CONVOLUTIONS = frozenset({F.conv1d, F.conv2d, F.conv3d})
_OTHERS: Mapping[Callable[..., Any], Callable[..., Any]] = {F.batch_norm: _batch_norm, F.hardsigmoid: _hardsigmoid}
