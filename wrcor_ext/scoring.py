"""`score`: one forward and at most one backward of an untrained network, however many proxies are asked for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from wrcor_ext import levels as level_blocks
from wrcor_ext import proxies as registry
from wrcor_ext.errors import InputError
from wrcor_ext.preserve import preserved, seeded
from wrcor_ext.proxies import Proxy, ResponseSum
from wrcor_ext.recorder import RULES, Recorder, Rule
from wrcor_ext.response_sums import ResponseCount, ResponseSums, Summed
from wrcor_ext.results import ProxyResult, Scores

MAX_IMAGES = 512

# `tail="auto"` may leave out less than this share of the summed weights. 2^-7 keeps the ranking of NAS-Bench-201 cells
# (Kendall tau 0.998 with the exact score), but on MobileNetV2 networks of nine levels it gives 0.996; 2^-9 keeps both.
AUTO_TAIL_SHARE = 2.0**-9

Loss = Callable[[Any, Tensor], Tensor]
Tail = int | Literal["auto"] | None


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
    hooks), and so do the global random states, after an exception too.

    Args:
        model: any `torch.nn.Module`, on any device; images and labels are moved to it.
        images: [N, ...] with 2 <= N <= 512, usually [N, 3, H, W] float32.
        labels: [N] int64 class indices; only proxies of gradient responses need them.
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
    """
    began = time.perf_counter()
    wanted = list(dict.fromkeys(registry.get(name) for name in _names(proxies)))
    _check_options(rule, tail)
    needs_gradients = any(p.needs.needs_gradients for p in wanted)
    _check_batch(images, labels, needs_gradients)
    blocks = level_blocks.resolve(model, levels)

    with preserved(model), seeded(seed), torch.inference_mode(False), torch.enable_grad():
        images, labels = _placed(model, images, labels, rule)
        _prepare(model)
        if tail == "auto" and any(p.needs.level_weighted for p in wanted):
            tail = _auto_tail(model, images, rule, blocks)
        first_level = max(0, max(1, len(blocks)) - tail) if isinstance(tail, int) else 0
        needs = {p.needs: first_level if p.needs.level_weighted else 0 for p in wanted}
        sums = ResponseSums(needs, images.shape[0], images.device)
        recorder = Recorder(
            model, sums, rule=rule, blocks=blocks, first_level=min(needs.values()), gradients=needs_gradients
        )
        graph: AbstractContextManager[object] = nullcontext() if needs_gradients else torch.no_grad()
        with graph:
            with recorder:
                output = model(images)
            if recorder.calls == 0:
                raise InputError(_no_activations(model, rule))
            if needs_gradients:
                assert labels is not None  # _check_batch saw to it
                recorder.backward(_loss(loss, output, labels))
        passes = time.perf_counter() - began
        results = {
            p.name: _result(p, sums.sums[p.needs], passes, _detail(p, needs, blocks, sums.ignored)) for p in wanted
        }
    return Scores(results, time.perf_counter() - began)


def _names(proxies: Sequence[str]) -> Sequence[str]:
    if isinstance(proxies, str):
        return (proxies,)
    if not proxies:
        raise InputError(f"no proxy asked for: known are {', '.join(registry.names())}")
    return proxies


def _check_options(rule: str, tail: Tail) -> None:
    if rule not in RULES:
        raise InputError(f"unknown rule {rule!r}: allowed are {' and '.join(map(repr, RULES))}")
    if tail is None or tail == "auto":
        return
    if type(tail) is not int or tail < 1:
        raise InputError(f"tail={tail!r} keeps no level: allowed are 'auto', a number of levels from 1 on, or None")


def _check_batch(images: Tensor, labels: Tensor | None, needs_labels: bool) -> None:
    if images.dim() < 2:
        raise InputError(f"images of shape {tuple(images.shape)} are no batch: expected [N, ...]")
    if not 2 <= images.shape[0] <= MAX_IMAGES:
        raise InputError(f"a batch of {images.shape[0]} cannot be correlated: 2 to {MAX_IMAGES} images are needed")
    if images.is_floating_point() and not bool(torch.isfinite(images).all()):
        bad = int((~torch.isfinite(images.flatten(1))).any(1).nonzero()[0])
        raise InputError(f"image {bad} holds NaN or infinite values")
    if labels is None:
        if needs_labels:
            raise InputError("labels are missing: proxies of gradient responses need one class index per image")
        return
    if labels.shape[:1] != images.shape[:1]:
        raise InputError(f"{images.shape[0]} images but labels of shape {tuple(labels.shape)}: one label per image")


def _placed(model: nn.Module, images: Tensor, labels: Tensor | None, rule: Rule) -> tuple[Tensor, Tensor | None]:
    """Images and labels where and in what type the model's parameters are; images on a CPU in channels_last.

    channels_last is a quarter faster, but its batch-norms round differently, by 2e-8 of a score: the reference rule is
    there to reproduce published numbers and keeps the layout it is given.
    """
    callers = images.detach()
    images = callers
    parameter = next((p for p in model.parameters() if p.is_floating_point()), None)
    if parameter is not None:
        images = images.to(parameter.device, parameter.dtype if images.is_floating_point() else None)
        labels = None if labels is None else labels.to(parameter.device)
    if images.dim() == 4 and images.device.type == "cpu" and rule != "reference":
        images = images.contiguous(memory_format=torch.channels_last)
    if images.data_ptr() == callers.data_ptr():
        images = images.clone()  # a model may begin by overwriting its input
    return images, labels


def _prepare(model: nn.Module) -> None:
    """No parameter gradients; eval mode, but for the norms that use the statistics of the batch in training."""
    for module in model.modules():
        training = isinstance(module, _BatchNorm)
        if module.training != training:  # a module's own attribute assignment is slow
            module.training = training
        for parameter in module._parameters.values():
            if parameter is not None:
                parameter.requires_grad_(False)


def _auto_tail(model: nn.Module, images: Tensor, rule: Rule, blocks: Sequence[nn.Module]) -> int:
    """The smallest number of last levels whose left-out share of the weights is under `AUTO_TAIL_SHARE`."""
    count = ResponseCount()
    # Two images tell how often each level is called; one would stop a batch-norm over a single value.
    with torch.no_grad(), preserved(model), Recorder(model, count, rule=rule, blocks=blocks, gradients=False):
        model(images[:2].clone())
    levels = max(1, len(blocks))
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
        _check_labels(output, labels)
    value = loss(output, labels)
    if value.numel() != 1:
        raise InputError(f"loss returned a tensor of shape {tuple(value.shape)}: a scalar is needed")
    return value


def _check_labels(logits: Tensor, labels: Tensor) -> None:
    if logits.dim() != 2 or labels.dim() != 1 or labels.is_floating_point():
        return  # cross_entropy has other uses (probabilities as labels, dense prediction) and its own checks
    classes = logits.shape[1]
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise InputError(f"label {low if low < 0 else high} is out of range: the model has classes 0 to {classes - 1}")


def _no_activations(model: nn.Module, rule: Rule) -> str:
    what = "calls no activation function" if rule == "activations" else "has no module whose class name contains ReLU"
    return f"{type(model).__name__} {what} (rule={rule!r}): it has no response to score"


def _detail(
    proxy: Proxy, needs: dict[ResponseSum, int], blocks: Sequence[nn.Module], ignored: int
) -> dict[str, object]:
    return {"levels": max(1, len(blocks)), "first_level": needs[proxy.needs], "ignored": ignored}


def _result(proxy: Proxy, summed: Summed, seconds: float, detail: dict[str, object]) -> ProxyResult:
    began = time.perf_counter()
    used, skipped = (int(count) for count in summed.counts)
    detail |= {"used": used, "skipped": skipped}
    if used == 0:
        reason = "no response with variance: every one is constant over some image, or not finite"
        return ProxyResult(math.nan, "degenerate", seconds, detail | {"reason": reason})
    value = proxy.compute(summed.k)
    detail["sign"] = value.sign
    seconds += time.perf_counter() - began
    if value.reason is not None:
        return ProxyResult(math.nan, "degenerate", seconds, detail | {"reason": value.reason})
    return ProxyResult(value.value, "ok", seconds, detail)
