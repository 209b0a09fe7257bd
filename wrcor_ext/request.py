"""What is asked of the passes of one model, and what they leave."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from wrcor_ext.errors import InputError, LabelError, NotApplicableError, WrcorError, in_words
from wrcor_ext.memory import out_of_memory
from wrcor_ext.needs import Loss, Need, ResponseSum, Skipped
from wrcor_ext.plan import Plan
from wrcor_ext.recorder import Rule
from wrcor_ext.response_sums import ResponseSums
from wrcor_ext.score_input import Amp, ClassRange, Tail

# Gradients of a mean loss are lost below 2^-24, the smallest float16. What is measured on them, correlation and signs,
# does not depend on the scale. This is the largest power of two in float16: where the loss itself is one, the scale is
# the gradient that the backward begins with.
FLOAT16_LOSS_SCALE = 2.0**15


@dataclass(frozen=True)
class Request:
    """What is asked of the passes of one model."""

    plan: Plan
    rule: Rule
    blocks: Sequence[nn.Module]
    tail: Tail
    loss: Loss
    seed: int
    amp: Amp
    classes: ClassRange | None

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """What the forward runs in."""
        return nullcontext() if self.amp is None else torch.autocast(device.type, getattr(torch, self.amp))

    @property
    def loss_scale(self) -> float:
        """What the loss is multiplied by for the backward. One is exact: nothing is changed where nothing needs it."""
        return FLOAT16_LOSS_SCALE if self.amp == "float16" else 1.0

    def unanswered(self, model: nn.Module) -> dict[Need, Skipped]:
        """What becomes of the sums over responses where the model has none.

        Raises:
            InputError: if they are all that is asked for.
        """
        calls = self.rule == "activations"
        what = "calls no activation function" if calls else "has no module whose class name contains ReLU"
        reason = f"{type(model).__name__} {what} (rule={self.rule!r}): it has no response to score"
        if not (self.plan.probes or self.plan.own):
            raise InputError(reason)
        return dict.fromkeys(self.plan.responses, Skipped(reason))


@dataclass(frozen=True)
class Measured:
    """What the passes of one model leave: its numbers may still be on the device.

    Attributes:
        results: of each probe and of each need with passes of its own; `Skipped` where there is none.
        sums: of responses, if any are wanted.
        levels: L.
        first_levels: per sum of responses, the first level that it takes.
        saving: what had to be done to fit into memory, for `ProxyResult.detail`.
    """

    results: dict[Need, Any]
    sums: ResponseSums | None = None
    levels: int = 1
    first_levels: dict[ResponseSum, int] = field(default_factory=dict)
    saving: dict[str, object] = field(default_factory=dict)


def result_or_reason(compute: Callable[[], Any]) -> Any:
    """What `compute` returns, or in its place why there is nothing: it may be the user's own, on foreign code.

    Raises:
        LabelError: which is no fault of what is computed.
        Exception: if memory is missing.
    """
    try:
        return compute()
    except LabelError:
        raise
    except NotApplicableError as error:
        return Skipped(str(error))
    except Exception as error:
        if out_of_memory(error):
            raise
        return Skipped(str(error) if isinstance(error, WrcorError) else in_words(error), traceback.format_exc())
