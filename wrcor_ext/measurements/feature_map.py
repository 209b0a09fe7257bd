"""The feature map before global pooling, found in any network by watching what its forward pools."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from wrcor_ext.errors import NotApplicableError

# What a module, or a functional call, reaches a function mode as.
_POOLINGS = frozenset({F.adaptive_avg_pool2d, F.adaptive_max_pool2d, F.avg_pool2d})
_REDUCTIONS = frozenset({torch.mean, Tensor.mean, torch.sum, Tensor.sum, torch.amax, Tensor.amax})
_RESHAPES = frozenset({torch.flatten, Tensor.flatten, torch.reshape, Tensor.reshape, Tensor.view})


class PooledMap(TorchFunctionMode):
    """Context manager around a forward: keeps the last feature map that is pooled to one number per channel.

    The last, because squeeze-excite pools as well. Seen are adaptive and average pooling, modules or functional, and
    means, sums and maxima over both spatial dimensions, at once or one after the other, with channels in front or last.

    Attributes:
        features: [N, C, H, W], without its graph; None if nothing like that was pooled.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features: Tensor | None = None
        # A tensor of which one dimension is still to be reduced, that dimension, and the map that it came from.
        self._halfway: tuple[Tensor, int, Tensor] | None = None

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        x = args[0] if args else kwargs.get("input")
        if isinstance(x, Tensor) and isinstance(out, Tensor):
            if func in _POOLINGS:
                if x.dim() == 4 and out.shape[2:] == (1, 1):
                    self.features = x.detach()
            elif func in _REDUCTIONS:
                self._reduced(x, out, _dimensions(x, args[1:], kwargs))
            elif func in _RESHAPES and x.dim() == 4 and out.dim() == 3 and out.shape[:2] == x.shape[:2]:
                self._halfway = out, 2, x
        return out

    def _reduced(self, x: Tensor, out: Tensor, over: Sequence[int]) -> None:
        if self._halfway is not None and x is self._halfway[0]:
            if over == [self._halfway[1]]:
                self.features = self._halfway[2].detach()
        elif x.dim() != 4:
            return
        elif over == [2, 3]:
            self.features = x.detach()
        elif over == [1, 2]:
            self.features = x.detach().permute(0, 3, 1, 2)
        elif over == [3] or over == [2]:
            self._halfway = out, 3 if over == [2] and out.dim() == 4 else 2, x


def _dimensions(x: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[int]:
    """The dimensions that a reduction goes over, counted from the front."""
    given = args[0] if args else kwargs.get("dim", kwargs.get("axis"))
    if given is None:
        return list(range(x.dim()))
    return sorted(d % x.dim() for d in ([given] if isinstance(given, int) else given))


def found(model: nn.Module, pooled: PooledMap) -> Tensor:
    """The feature map [N, C, H, W] of a forward of `model` that `pooled` has watched.

    Raises:
        NotApplicableError: if there is none.
    """
    if pooled.features is None:
        raise NotApplicableError(f"{type(model).__name__} pools no feature map [N, C, H, W] to one number per channel")
    return pooled.features


def feature_map(model: nn.Module, images: Tensor) -> Tensor:
    """The feature map [N, C, H, W] before global pooling, from a forward without a graph.

    Raises:
        NotApplicableError: if the model pools no feature map.
    """
    with torch.no_grad(), PooledMap() as pooled:
        model(images)
    return found(model, pooled)
