"""How much the loss changes, to second order, where a channel is removed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from wrcor_ext.measurements.weight_gradients import NO_WEIGHTS
from wrcor_ext.needs import Probe, Seen, Skipped, Subject, Watch, WeightLayer, weight_layers, weights_of


@dataclass(frozen=True)
class ChannelSaliency(Probe):
    """Sum over the outputs of convolutions and linear layers of the saliency of their channels, a float64 scalar.

    The saliency of a channel is 0.5 mean over images of (sum over positions of activation x gradient of the loss)^2,
    times the number of weights per channel. Calls of one layer count as positions. Under `rule="reference"` it is
    rounded to float32 and added up weight by weight in float32, as the published values are.
    """

    divides = True
    weight_gradients = True

    def watch(self, subject: Subject) -> Watch:
        """Looks at the output of each layer, and at its gradient."""
        return _Watch(subject)


class _Watch(Watch):
    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._layers = weight_layers(subject.model)
        self._hooks = ExitStack()
        # Per part of the batch and layer, [rows, channels]: the sum over positions of activation x gradient.
        self._products: list[dict[WeightLayer, Tensor]] = []

    def __enter__(self) -> Watch:
        self._products.append({})
        for layer in self._layers:
            self._hooks.callback(layer.register_forward_hook(self._called, with_kwargs=True).remove)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._hooks.close()

    def _called(self, layer: WeightLayer, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> None:
        if output.requires_grad:
            again = functools.partial(layer.forward, *args, **kwargs)
            output.register_hook(functools.partial(self._gradient, layer, again, output.detach(), output._version))

    def _gradient(
        self, layer: WeightLayer, again: Callable[[], Tensor], output: Tensor, version: int, gradient: Tensor
    ) -> None:
        if not self.listening:
            return
        if output._version != version:
            # An activation has overwritten the output; the input is still there, because the backward needs it.
            with torch.no_grad(), _autocast_like(output, layer.weight):
                output = again()
        channel = output.dim() - 1 if isinstance(layer, nn.Linear) else 1
        positions = [dim for dim in range(1, output.dim()) if dim != channel]
        wide = torch.promote_types(output.dtype, torch.float32)
        product = output.to(wide) * (gradient.to(wide) / self.loss_scale)
        # An empty list would be all dimensions.
        product = product.sum(positions) if positions else product
        products = self._products[-1]
        products[layer] = products[layer] + product if layer in products else product

    def finish(self, subject: Subject, seen: Seen) -> Tensor | Skipped:
        if not self._layers:
            return Skipped(NO_WEIGHTS)
        weights_of(subject.model)  # or it says why there are no gradients
        device = self._layers[0].weight.device
        total = torch.zeros((), dtype=torch.float32 if subject.rule == "reference" else torch.float64, device=device)
        for layer in self._layers:
            products = [part[layer] for part in self._products if layer in part]
            if products:
                total = total + _saliency(torch.cat(products), layer.weight, total.dtype)
        return total.double()


def _autocast_like(output: Tensor, weight: Tensor) -> AbstractContextManager[object]:
    """The autocast that made the output of a layer with this weight, if there was one."""
    return nullcontext() if output.dtype == weight.dtype else torch.autocast(output.device.type, output.dtype)


def _saliency(products: Tensor, weight: Tensor, dtype: torch.dtype) -> Tensor:
    saliency = (products.square().mean(0) / 2).to(dtype)
    if dtype == torch.float64:
        return saliency.sum() * weight[0].numel()
    return saliency.view(-1, *[1] * (weight.dim() - 1)).expand(weight.shape).contiguous().sum()
