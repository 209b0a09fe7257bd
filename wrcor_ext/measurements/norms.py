"""Runs a network as if it had no batch-norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.overrides import TorchFunctionMode

from wrcor_ext.torch_calls import BATCH_NORMS


class NormsAsIdentity(TorchFunctionMode):
    """Context manager: every batch-norm of a forward inside, module or functional, hands its input on.

    The model itself is not touched: there is nothing to restore, after an exception neither. A module that does more
    than normalise (an activation fused into its batch-norm, say) still does the rest, and running statistics stay as
    they are. What a batch-norm hands on is a copy, so that an activation may overwrite it as it would its output.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in BATCH_NORMS:
            return (args[0] if args else kwargs["input"]).clone()
        return func(*args, **kwargs)
