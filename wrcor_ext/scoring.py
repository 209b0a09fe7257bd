"""`score`: one forward and at most one backward of an untrained network, however many proxies are asked for."""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from wrcor_ext import levels as level_blocks
from wrcor_ext import proxies as registry
from wrcor_ext.errors import InputError, WrcorError, in_words
from wrcor_ext.preserve import preserved, seeded
from wrcor_ext.proxies import Proxy
from wrcor_ext.recorder import Recorder, Rule
from wrcor_ext.response_sums import ResponseCount, ResponseSums
from wrcor_ext.results import ProxyResult, Scores
from wrcor_ext.score_input import (
    Tail,
    check_batch,
    check_class_indices,
    check_model,
    check_options,
    placed,
    proxy_names,
)

# `tail="auto"` may leave out less than this share of the summed weights. 2^-7 keeps the ranking of NAS-Bench-201 cells
# (Kendall tau 0.998 with the exact score), but on MobileNetV2 networks of nine levels it gives 0.996; 2^-9 keeps both.
AUTO_TAIL_SHARE = 2.0**-9

Loss = Callable[[Any, Tensor], Tensor]

# The random generators are the process's, and a model's hooks and modes its own: two threads at once would mix them up.
_one_at_a_time = threading.RLock()


def score(
    model: nn.Module,
    images: Tensor,
    labels: Tensor | None = None,
    *,
    proxies: Sequence[str] = ("wrcor",),
    rule: Rule = "activations",
    levels: level_blocks.Levels = "auto",
    tail: Tail = None,
    loss: Loss = F.cross_entropy,
    seed: int = 0,
) -> Scores:
    """Scores an untrained network from its responses to one mini-batch (arXiv 2507.08841).

    Batch-norms use the statistics of the batch, as in training; everything else runs in eval mode, so that dropout and
    stochastic depth add no noise. The model comes back exactly as it was (mode, `requires_grad`, gradients, buffers,
    hooks), and so do the global random states, after an exception too. Calls from several threads wait for each other.

    Args:
        model: any `torch.nn.Module`, on any device; images and labels are moved to it.
        images: [N, ...] with 2 <= N <= 512, usually [N, 3, H, W] float32.
        labels: [N] class indices of any integer type; only proxies of gradient responses need them.
        proxies: names or aliases of proxies (`wrcor_ext.proxies.names()`); all share the passes.
        rule: `"activations"` takes every call of an activation function, `"reference"` what the published code takes
            (modules whose class name contains `ReLU`), to reproduce its numbers.
        levels: `"auto"`, `"flat"`, the dotted path of a container or a sequence of modules: what opens a new level;
            see `wrcor_ext.levels.resolve`.
        tail: for level-weighted proxies (`wrcor`), keep only the last so many levels; everything before them runs
            without an autograd graph. `"auto"` is the smallest number whose left-out weight (2^level times the
            number of responses) is under 2^-9 of the total. None keeps all. Other proxies are not affected.
        loss: `loss(output, labels)`, a scalar: the gradients' source.
        seed: seeds the global random generators for the call, for models that draw in their forward.

    Returns:
        Scores: a mapping from canonical proxy name to `ProxyResult`, in the order asked for.

    Raises:
        InputError: for input that cannot be scored: a batch of one image, lengths that differ, values that are not
            finite, a label out of range, an unknown proxy or rule, a model that calls no activation.
        Exception: whatever the model's forward or `loss` raises.
    """
    began = time.perf_counter()
    wanted = list(dict.fromkeys(registry.get(name) for name in proxy_names(proxies)))
    check_options(rule, tail, seed)
    check_model(model)
    check_batch(images, labels, any(p.needs.needs_gradients for p in wanted))
    request = _Request(wanted, rule, level_blocks.resolve(model, levels), tail, loss, seed)
    with _one_at_a_time:
        results = _scored(model, images, labels, request, began)
    return Scores(results, time.perf_counter() - began)


@dataclass(frozen=True)
class _Request:
    """What is asked of the passes."""

    wanted: Sequence[Proxy]
    rule: Rule
    blocks: Sequence[nn.Module]
    tail: Tail
    loss: Loss
    seed: int

    @property
    def needs_gradients(self) -> bool:
        return any(p.needs.needs_gradients for p in self.wanted)


def _scored(
    model: nn.Module, images: Tensor, labels: Tensor | None, request: _Request, began: float
) -> dict[str, ProxyResult]:
    """The passes in the fastest memory layout, or in the caller's where the model does not run in the fastest.

    channels_last is a quarter faster on a CPU. The reference rule keeps the layout it is given: batch-norms round
    differently in channels_last, by 2e-8 of a score, and it is there to reproduce published numbers.
    """
    layouts = [torch.preserve_format]
    if images.dim() == 4 and request.rule != "reference":
        layouts.insert(0, torch.channels_last)
    while True:
        layout = layouts.pop(0)
        try:
            with preserved(model), seeded(request.seed), torch.inference_mode(False), torch.enable_grad():
                own, placed_labels = placed(model, images, labels)
                if layout is torch.channels_last and own.device.type == "cpu":
                    own = own.contiguous(memory_format=layout)
                return _passes(model, own, placed_labels, request, began)
        except RuntimeError as error:
            # A `view` that flattens channels, say: it wants the layout that the model was written for.
            if not layouts or isinstance(error, WrcorError):
                raise


def _passes(
    model: nn.Module, images: Tensor, labels: Tensor | None, request: _Request, began: float
) -> dict[str, ProxyResult]:
    _prepare(model)
    levels = max(1, len(request.blocks))
    tail = request.tail
    if tail == "auto":
        tail = _auto_tail(model, images, request) if any(p.needs.level_weighted for p in request.wanted) else None
    first_level = 0 if tail is None else max(0, levels - tail)
    needs = {p.needs: first_level if p.needs.level_weighted else 0 for p in request.wanted}
    sums = ResponseSums(needs, images.shape[0], images.device)
    recorder = Recorder(
        model,
        sums,
        rule=request.rule,
        blocks=request.blocks,
        first_level=min(needs.values()),
        gradients=request.needs_gradients,
    )
    graph: AbstractContextManager[object] = nullcontext() if request.needs_gradients else torch.no_grad()
    with graph:
        with recorder:
            output = model(images)
        if recorder.calls == 0:
            raise InputError(_no_activations(model, request.rule))
        if request.needs_gradients:
            assert labels is not None  # check_batch saw to it
            recorder.backward(_loss(request.loss, output, labels))
    seconds = time.perf_counter() - began
    return {
        p.name: _result(p, sums, seconds, {"levels": levels, "first_level": needs[p.needs]}) for p in request.wanted
    }


def _prepare(model: nn.Module) -> None:
    """No parameter gradients; eval mode, but for the norms that use the statistics of the batch in training."""
    for module in model.modules():
        training = isinstance(module, _BatchNorm)
        if module.training != training:  # a module's own attribute assignment is slow
            module.training = training
        for parameter in module._parameters.values():
            if parameter is not None:
                parameter.requires_grad_(False)


def _auto_tail(model: nn.Module, images: Tensor, request: _Request) -> int:
    """The smallest number of last levels whose left-out share of the weights is under `AUTO_TAIL_SHARE`."""
    count = ResponseCount()
    recorder = Recorder(model, count, rule=request.rule, blocks=request.blocks, gradients=False)
    # Of its own seed and state, so that counting changes nothing about the scored pass.
    with torch.no_grad(), preserved(model), seeded(request.seed), recorder:
        # Two images tell how often each level is called; one would stop a batch-norm over a single value.
        model(images[:2].clone())
    levels = max(1, len(request.blocks))
    weights = [count.per_level.get(level, 0) * 2.0**level for level in range(levels)]
    total = math.fsum(weights)
    for tail in range(1, levels):
        if math.fsum(weights[: levels - tail]) < AUTO_TAIL_SHARE * total:
            return tail
    return levels


def _loss(loss: Loss, output: Any, labels: Tensor) -> Tensor:
    if loss is F.cross_entropy:
        # Hugging Face models wrap their logits.
        output = getattr(output, "logits", output)
        if not isinstance(output, Tensor):
            raise InputError(
                f"the model returns {type(output).__name__}, not logits: give loss=, a function of (output, labels)"
            )
        check_class_indices(output, labels)
    value: object = loss(output, labels)
    if not isinstance(value, Tensor) or value.numel() != 1:
        found = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise InputError(f"loss returned {found}: a scalar tensor is needed")
    return value


def _no_activations(model: nn.Module, rule: Rule) -> str:
    what = "calls no activation function" if rule == "activations" else "has no module whose class name contains ReLU"
    return f"{type(model).__name__} {what} (rule={rule!r}): it has no response to score"


def _result(proxy: Proxy, sums: ResponseSums, seconds: float, detail: dict[str, object]) -> ProxyResult:
    began = time.perf_counter()
    summed = sums.sums[proxy.needs]
    per_kind = {kind: [int(count) for count in counts] for kind, counts in summed.counts.items()}
    used, skipped = (sum(column) for column in zip(*per_kind.values(), strict=True))
    detail |= {"used": used, "skipped": skipped, "ignored": sums.ignored}
    if proxy.needs.needs_gradients:
        detail["gradients_used"] = per_kind["gradient"][0]
    if used == 0:
        reason = "no response varies over its features for every image"
        if skipped == 0:
            reason = "no response has the images as its first dimension"
        return ProxyResult(math.nan, "degenerate", seconds, detail | {"reason": reason})
    try:
        value = proxy.compute(summed.k)
    except Exception as error:  # noqa: BLE001  a proxy may be the user's own: its failure is its result
        detail |= {"reason": in_words(error), "traceback": traceback.format_exc()}
        return ProxyResult(math.nan, "failed", seconds, detail)
    detail["sign"] = value.sign
    seconds += time.perf_counter() - began
    if value.reason is not None:
        return ProxyResult(math.nan, "degenerate", seconds, detail | {"reason": value.reason})
    return ProxyResult(value.value, "ok", seconds, detail)
