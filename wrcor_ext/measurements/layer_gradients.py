"""The gradients of single images with respect to the parameters of layers, from one backward of the whole batch.

What an image adds to the gradient of a layer's weight follows from its own rows of the layer's input and of the
gradient at its output. So the batch runs once, and the gradients at the layers' outputs are those of all images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from wrcor_ext.measurements.layers import READERS, Layer

Take = Callable[[nn.Parameter, int, Tensor], None]
"""Gets a parameter, the place of a value in it, and the gradients [N, values] of the values from there on."""


class LayerGradients(TorchFunctionMode):
    """Context manager around a forward of the batch; `backward` then hands out the gradients of each image.

    Layers are convolutions, linear layers, batch, layer and group normalisation, as modules or functions. Batch-norms
    take the statistics of the batch for constants. It is taken for granted that the model mixes images nowhere else,
    and that a tensor with N rows has one for each image.

    Args:
        parameters: those whose gradients are wanted; they require gradients.
        images: N.
        held: how many values of gradients there are at once; at least a row of a weight for each image.

    Attributes:
        statistics: per call of a batch-norm with the batch's statistics, mean [C] and (biased) variance [C].
    """

    def __init__(self, parameters: Sequence[nn.Parameter], images: int, held: int) -> None:
        super().__init__()
        self.statistics: list[tuple[Tensor, Tensor]] = []
        self._parameters = {id(parameter): parameter for parameter in parameters}
        self._images = images
        self._held = held
        # Where the graph begins: what the first layers see.
        self._roots: list[Tensor] = []
        self._uses: Counter[int] = Counter()
        self._known = True
        self._take: Take | None = None

    def backward(self, total: Tensor, take: Take, *, retain_graph: bool = False) -> bool:
        """Hands the gradient of each image to `take`, piece by piece: each value of each parameter once at most.

        What `total` does not depend on is not handed out: its gradient is zero.

        Args:
            total: a sum over images, a scalar.
            take: must not keep the gradients.
            retain_graph: whether another backward will follow.

        Returns:
            Whether that was all. False where a layer has no row per image, or a parameter has a second use or one that
            is not that of a layer; what was handed out means nothing then.
        """
        if self._known and max(self._uses.values(), default=0) <= 1 and total.requires_grad:
            self._take = take
            targets = [*self._parameters.values(), *self._roots]
            found = torch.autograd.grad(total, targets, retain_graph=retain_graph, allow_unused=True)
            self._take = None
            # Layers take their parameters for constants: where the graph reaches one, something else uses it.
            self._known &= all(gradient is None for gradient in found[: len(self._parameters)])
        return self._known and max(self._uses.values(), default=0) <= 1

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        reader = READERS.get(func) if torch.is_grad_enabled() else None
        layer = None if reader is None else reader(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {})) if layer is None else self._run(layer)

    def _run(self, layer: Layer) -> Tensor:
        if (statistics := layer.freeze()) is not None:
            self.statistics.append(statistics)
        parameters = [p for p in (layer.weight, layer.bias) if id(p) in self._parameters]
        self._uses.update(map(id, parameters))
        if parameters and not layer.input.requires_grad:
            layer.input = layer.input.detach().requires_grad_()
            self._roots.append(layer.input)
        out = layer(
            *(p if p is None else p.detach() if id(p) in self._parameters else p for p in (layer.weight, layer.bias))
        )
        if parameters:
            layer.input = layer.input.detach()
            out.register_hook(partial(self._gradient, layer, layer.input._version))
        return out

    @torch.no_grad()
    def _gradient(self, layer: Layer, version: int, gradient: Tensor) -> None:
        if self._take is None:
            return
        if not len(layer.input) == len(gradient) == self._images or layer.input._version != version:
            self._known = False
            return
        weight, bias = (self._parameters.get(id(parameter)) for parameter in (layer.weight, layer.bias))
        if bias is not None:
            self._take(bias, 0, layer.bias_gradients(gradient))
        if weight is not None:
            rows = max(1, self._held // (self._images * weight[0].numel()))
            first = 0
            for block in layer.weight_gradients(gradient, rows):
                self._take(weight, first, block)
                first += block.shape[1]
