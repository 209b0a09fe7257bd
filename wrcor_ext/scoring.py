"""`score`: one forward and at most one backward of an untrained network, however many proxies are asked for."""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wrcor_ext import levels as level_blocks
from wrcor_ext import passes
from wrcor_ext import proxies as registry
from wrcor_ext.errors import in_words
from wrcor_ext.measurements.weights import largest_parameter
from wrcor_ext.needs import Loss, ResponseSum, Skipped
from wrcor_ext.plan import plan
from wrcor_ext.proxies import Proxy, Summed
from wrcor_ext.recorder import Rule
from wrcor_ext.request import Measured, Request
from wrcor_ext.response_sums import settle
from wrcor_ext.results import ProxyResult, Scores
from wrcor_ext.score_input import (
    Amp,
    Tail,
    check_batch,
    check_model,
    check_options,
    class_range,
    device_of,
    proxy_names,
)

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
    amp: Amp = None,
) -> Scores:
    """Scores an untrained network from its responses to one mini-batch (arXiv 2507.08841).

    Batch-norms use the statistics of the batch, as in training; everything else runs in eval mode, so that dropout and
    stochastic depth add no noise. The model comes back exactly as it was (mode, `requires_grad`, gradients, buffers,
    hooks), and so do the global random states, after an exception too. Calls from several threads wait for each other.

    Args:
        model: any `torch.nn.Module`, on any device; images and labels are moved to it.
        images: [N, ...] with 2 <= N <= 512, usually [N, 3, H, W] float32.
        labels: [N] class indices of any integer type, or what the caller's `loss` takes; for proxies that need them.
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
        amp: `"bfloat16"` or `"float16"`: the forward and the backward run in `torch.autocast` of that type. Sums and
            log-determinants stay float64.

    Returns:
        Scores: a mapping from canonical proxy name to `ProxyResult`, in the order asked for.

    Raises:
        InputError: for input that cannot be scored: a batch of one image, lengths that differ, values that are not
            finite, a label out of range, an unknown proxy or rule, a model that calls no activation where
            every proxy asked for needs one.
        OutOfMemoryError: if the network and the batch do not fit into the memory of their device. Before that, the
            shared pass is run again with what only the backward needs in the host's memory (on a GPU), or computed
            twice, and then in micro-batches: same score.
        Exception: whatever the model's forward or `loss` raises.
    """
    measurement = measure(
        model, images, labels, proxies=proxies, rule=rule, levels=levels, tail=tail, loss=loss, seed=seed, amp=amp
    )
    return finish([measurement])[0]


def score_many(
    models: Iterable[nn.Module],
    images: Tensor,
    labels: Tensor | None = None,
    *,
    proxies: Sequence[str] = ("wrcor",),
    rule: Rule = "activations",
    levels: level_blocks.Levels = "auto",
    tail: Tail = None,
    loss: Loss = F.cross_entropy,
    seed: int = 0,
    amp: Amp = None,
) -> list[Scores]:
    """Scores several networks on one batch; a GPU is waited for once, after the last of them.

    All log-determinants are computed in one batched call. `models` may be a generator that builds each network when it
    is its turn: none is kept. Arguments are those of `score`, and so are the values.

    Returns:
        One `Scores` per model, in order.

    Raises:
        InputError: as for `score`.
        Exception: whatever building a model, its forward or `loss` raises. To go on with the others, use `measure` and
            `finish`.
    """
    order = _Order(images, labels, proxies, rule, levels, tail, loss, seed, amp)
    return finish([order.measure(model) for model in models])


@dataclass(frozen=True)
class Measurement:
    """The passes of one model, run but not finished: on a GPU they may still be under way.

    It holds numbers and N x N matrices, neither the model nor its responses, weights or gradients. On a GPU it also
    holds a matrix per layer where eigenvalues are asked for (`meco`, `expressivity`, `progressivity`).
    """

    wanted: Sequence[Proxy]
    measured: Measured
    largest_parameter: Tensor
    seconds: float


def measure(
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
    amp: Amp = None,
) -> Measurement:
    """The first part of `score`, with its arguments and errors: everything that needs the model.

    From the first forward on nothing waits for a GPU.
    """
    began = time.perf_counter()
    measurement = _Order(images, labels, proxies, rule, levels, tail, loss, seed, amp).measure(model)
    return replace(measurement, seconds=time.perf_counter() - began)


class _Order:
    """What any number of models are to be measured on: checked, and its values read, before the first of them.

    Raises:
        InputError: as `score`, for whatever is not the model's.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor | None,
        proxies: Sequence[str],
        rule: Rule,
        levels: level_blocks.Levels,
        tail: Tail,
        loss: Loss,
        seed: int,
        amp: Amp,
    ) -> None:
        self._wanted = list(dict.fromkeys(registry.get(name) for name in proxy_names(proxies)))
        check_options(rule, tail, seed, amp)
        self._levels = levels
        self._plan = plan(self._wanted)
        labelled = [proxy.name for proxy in self._wanted if proxy.needs_labels]
        check_batch(images, labels, labelled, classes=loss is F.cross_entropy)
        self._request = Request(self._plan, rule, (), tail, loss, seed, amp, class_range(labels))
        self._batch = images, labels
        self._batches: dict[torch.device, tuple[Tensor, Tensor | None]] = {}

    def measure(self, model: nn.Module) -> Measurement:
        """The passes of one model; nothing in them waits for a GPU."""
        began = time.perf_counter()
        check_model(model)
        request = replace(self._request, blocks=level_blocks.resolve(model, self._levels))
        largest = largest_parameter(model)
        images, labels = self._on(device_of(model))
        with _one_at_a_time:
            measured = passes.run(model, images, labels, request)
        return Measurement(self._wanted, measured, largest, time.perf_counter() - began)

    def _on(self, device: torch.device | None) -> tuple[Tensor, Tensor | None]:
        """The batch on a device, brought there once: copying from the host waits for all that the device has to do."""
        if device is None:
            return self._batch
        if device not in self._batches:
            images, labels = self._batch
            self._batches[device] = images.to(device), None if labels is None else labels.to(device)
        return self._batches[device]


def finish(measurements: Sequence[Measurement]) -> list[Scores]:
    """The second part of `score`, for any number of models at once: log-determinants and results.

    Returns:
        One `Scores` per measurement, in order.
    """
    began = time.perf_counter()
    settled = iter(settle([sums for m in measurements if (sums := m.measured.sums) is not None]))
    own = (time.perf_counter() - began) / max(1, len(measurements))
    finished = []
    for measurement in measurements:
        results = dict(measurement.measured.results)
        if measurement.measured.sums is not None:
            results.update(next(settled))
        values = {p.name: _result(p, measurement, [results[need] for need in p.needs]) for p in measurement.wanted}
        if any(v.status != "ok" for v in values.values()) and not math.isfinite(float(measurement.largest_parameter)):
            values = {name: _blamed_on_parameters(value) for name, value in values.items()}
        finished.append(Scores(values, measurement.seconds + own))
    return finished


def _blamed_on_parameters(result: ProxyResult) -> ProxyResult:
    if result.status == "ok":
        return result
    reason = f"a parameter of the model is not finite ({result.detail['reason']})"
    return replace(result, detail={**result.detail, "reason": reason})


def _result(proxy: Proxy, measurement: Measurement, results: Sequence[Any]) -> ProxyResult:
    began = time.perf_counter()
    seconds = measurement.seconds
    detail: dict[str, object] = dict(measurement.measured.saving)
    for need, result in zip(proxy.needs, results, strict=True):
        if isinstance(result, Skipped):
            detail["reason"] = result.reason
            if result.traceback is not None:
                detail["traceback"] = result.traceback
            return ProxyResult(math.nan, "failed", seconds, detail)
        if isinstance(need, ResponseSum):
            detail |= _response_detail(need, result, measurement.measured)
            if detail["used"] == 0:
                reason = "no response varies over its features for every image"
                if detail["skipped"] == 0:
                    reason = "no response has the images as its first dimension"
                detail |= {"reason": reason, "value": result.logabsdet}
                return ProxyResult(math.nan, "degenerate", seconds, detail)
    try:
        value = proxy.compute(*results)
    except Exception as error:  # noqa: BLE001  a proxy may be the user's own: its failure is its result
        detail |= {"reason": in_words(error), "traceback": traceback.format_exc()}
        return ProxyResult(math.nan, "failed", seconds, detail)
    seconds += time.perf_counter() - began
    detail |= value.detail
    if value.reason is not None:
        detail |= {"reason": value.reason, "value": value.value}
        return ProxyResult(math.nan, "degenerate", seconds, detail)
    return ProxyResult(value.value, "ok", seconds, detail)


def _response_detail(need: ResponseSum, summed: Summed, measured: Measured) -> dict[str, object]:
    assert measured.sums is not None
    detail: dict[str, object] = {
        "levels": measured.levels,
        "first_level": measured.first_levels[need],
        "used": sum(summed.used.values()),
        "skipped": sum(summed.skipped.values()),
        "ignored": measured.sums.ignored,
    }
    if need.needs_gradients:
        detail["gradients_used"] = summed.used.get("gradient", 0)
    return detail
