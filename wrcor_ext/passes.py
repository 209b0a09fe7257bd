"""Runs a plan: the shared forward of the images with its backwards, then the needs with passes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import save_on_cpu
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from wrcor_ext.divided import IndivisibleError, divided
from wrcor_ext.errors import LabelError, NotApplicableError, WrcorError
from wrcor_ext.memory import free, out_of_gpu_memory, out_of_memory, shortage
from wrcor_ext.needs import Need, OwnPasses, Probe, Seen, Skipped, Subject, logits_of, weights_of
from wrcor_ext.preserve import preserved, seeded
from wrcor_ext.recomputing import OverwrittenInputError, recomputable, recomputed
from wrcor_ext.recorder import Recorder
from wrcor_ext.request import Measured, Request, result_or_reason
from wrcor_ext.response_sums import OverwrittenError, ResponseSums
from wrcor_ext.score_input import check_classes, device_of, placed
from wrcor_ext.tails import first_level


@dataclass(frozen=True)
class _Way:
    """One way to run a pass; all give the same score, but for the rounding of a layout.

    Attributes:
        channels_last: the layout of the images.
        offloaded: what only the backward needs waits in the host's memory.
        recomputed: the modules that keep their input only, and run again in the backward; None before that is tried.
        grouped: whether responses are measured in groups.
        parts: how many micro-batches the batch is divided into, if it is.
    """

    channels_last: bool = False
    offloaded: bool = False
    recomputed: tuple[nn.Module, ...] | None = None
    grouped: bool | None = None
    parts: int = 0

    @property
    def saving(self) -> dict[str, object]:
        """What it saves memory by."""
        found: dict[str, object] = {"offloaded": True} if self.offloaded else {}
        return found | ({"recomputed": len(self.recomputed)} if self.recomputed else {})


def run(model: nn.Module, images: Tensor, labels: Tensor | None, request: Request) -> Measured:
    """All passes of a plan, in the fastest way that the model and the memory allow.

    What a need raises is its result; what the model or the loss raises in the shared pass is passed on.

    Raises:
        OutOfMemoryError: if not even one shared pass fits into the device's memory.
    """
    measured = _shared(model, images, labels, request) if request.plan.shared else Measured({})
    for need, answered in request.plan.own.items():
        measured.results.update(dict.fromkeys(answered, _own(need, model, images, labels, request)))
    return measured


def _own(need: OwnPasses, model: nn.Module, images: Tensor, labels: Tensor | None, request: Request) -> Any:
    """The result of a need with passes of its own; on a GPU, what does not fit is run again with the host's memory."""

    def measure() -> Any:
        with _prepared(model, request.seed), save_on_cpu() if way.offloaded else nullcontext():
            return need.measure(_subject(model, images, labels, request, way))

    way = _Way(channels_last=need.channels_last and _likes_channels_last(model, images, request))
    while True:
        try:
            result = result_or_reason(measure)
        except LabelError:
            raise
        except Exception as error:  # noqa: BLE001  of missing memory: all others are results
            if way.offloaded or not need.backwards or not out_of_gpu_memory(error):
                return Skipped(str(shortage(model, images, error)))
            way = replace(way, offloaded=True)
        else:
            if not (way.channels_last and isinstance(result, Skipped) and result.traceback is not None):
                return result
            way = replace(way, channels_last=False)
        free()


def _shared(model: nn.Module, images: Tensor, labels: Tensor | None, request: Request) -> Measured:
    """The shared pass."""
    way: _Way | None = _Way(channels_last=_likes_channels_last(model, images, request))
    short: Exception | None = None
    undivided: str | None = None
    while way is not None:
        try:
            with _prepared(model, request.seed):
                subject = _subject(model, images, labels, request, way)
                with parametrize.cached():  # as `weights_of` asks for
                    if way.parts:
                        return divided(subject, request, way.parts, partial(_forward_only, subject, request, way))
                    return _shared_pass(subject, request, way)
        except (RuntimeError, MemoryError, OverwrittenError, OverwrittenInputError, IndivisibleError) as error:
            if out_of_memory(error):
                short = error.with_traceback(None)
            if isinstance(error, IndivisibleError):
                undivided = str(error)
            way = _other_way(way, error, model, len(images), request)
            if way is None and short is None:
                raise
        # Past the handler the error is gone, and with it the graph that its traceback kept alive.
        if short is not None:
            free()
    assert short is not None
    raise shortage(model, images, short, undivided) from short


def _other_way(way: _Way, error: Exception, model: nn.Module, images: int, request: Request) -> _Way | None:
    """How to run the pass again after `error`, if there is a way."""
    if isinstance(error, OverwrittenError):
        return replace(way, grouped=False)
    if isinstance(error, OverwrittenInputError):
        return replace(way, recomputed=tuple(block for block in way.recomputed or () if block is not error.block))
    if isinstance(error, (WrcorError, IndivisibleError)):
        return None
    if not out_of_memory(error):
        if (
            way.channels_last
        ):  # a `view` that flattens channels, say: it wants the layout that the model was written for
            return replace(way, channels_last=False)
        # What runs again in the backward has to do the same.
        return _in_parts(way, images) if way.recomputed else None
    if not way.parts and request.plan.has_graph:
        # The same batch in the same operations, but what only the backward needs is elsewhere: in the host's memory,
        # unless that is what ran out, or it is computed again.
        if out_of_gpu_memory(error) and not way.offloaded and way.recomputed is None:
            return replace(way, offloaded=True)
        if way.recomputed is None and (blocks := recomputable(model, request.blocks)):
            return replace(way, offloaded=False, recomputed=tuple(blocks))
    return _in_parts(way, images)


def _in_parts(way: _Way, images: int) -> _Way | None:
    """The whole batch no more, or twice as many parts of it; None where there are as many as images."""
    parts = min(max(2 * way.parts, 4), images)
    return None if parts == way.parts else replace(way, offloaded=False, recomputed=(), parts=parts)


def _forward_only(subject: Subject, request: Request, way: _Way, probes: Sequence[Probe]) -> Measured:
    """The results of probes that need no backward, on the whole batch."""
    plan = replace(request.plan, responses=(), probes=tuple(probes))
    subject = replace(subject, images=subject.images.clone())
    return _shared_pass(subject, replace(request, plan=plan), replace(way, parts=0))


def _prepared(model: nn.Module, seed: int) -> ExitStack:
    """The state that every pass begins in: the model in scoring mode and put back afterwards, fresh random numbers."""
    with ExitStack() as stack:
        stack.enter_context(preserved(model))
        stack.enter_context(seeded(seed))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):  # of the caller's: `amp` decides
                stack.enter_context(torch.autocast(device, enabled=False))
        _scoring_mode(model)
        return stack.pop_all()


def _scoring_mode(model: nn.Module) -> None:
    """No parameter gradients; eval mode, but for the norms that use the statistics of the batch in training."""
    for module in model.modules():
        training = isinstance(module, _BatchNorm)
        if module.training != training:  # a module's own attribute assignment is slow
            module.training = training
        for parameter in module._parameters.values():
            if parameter is not None:
                parameter.requires_grad_(False)


def _likes_channels_last(model: nn.Module, images: Tensor, request: Request) -> bool:
    """channels_last is a quarter faster on a CPU.

    The reference rule keeps the layout it is given: batch-norms round differently in channels_last, by 2e-8 of a score,
    and it is there to reproduce published numbers.
    """
    on_cpu = (device_of(model) or images.device).type == "cpu"
    return on_cpu and images.dim() == 4 and request.rule != "reference"


def _subject(model: nn.Module, images: Tensor, labels: Tensor | None, request: Request, way: _Way) -> Subject:
    own, own_labels = placed(model, images, labels)
    if way.channels_last:
        own = own.contiguous(memory_format=torch.channels_last)
    return Subject(
        model,
        own,
        own_labels,
        request.rule,
        request.blocks,
        request.loss,
        request.seed,
        lambda logits: check_classes(logits, request.classes),
    )


def _shared_pass(subject: Subject, request: Request, way: _Way) -> Measured:
    plan, model, images = request.plan, subject.model, subject.images
    first = first_level(subject, request.tail) if plan.level_weighted else 0
    first_levels = {need: first if need.level_weighted else 0 for need in plan.responses}
    sums = ResponseSums(first_levels, images.shape[0], images.device, grouped=way.grouped) if plan.responses else None
    unanswered: dict[Need, Skipped] = {}
    weights: Sequence[Tensor] = ()
    if plan.weight_gradients:
        with suppress(NotApplicableError):  # which is then the answer of those who asked for them
            weights = [weight.requires_grad_(True) for weight in weights_of(model)]
    image_gradients = plan.image_gradients and images.is_floating_point()
    if image_gradients:
        images.requires_grad_(True)
    with ExitStack() as stack:
        if not plan.has_graph:
            stack.enter_context(torch.no_grad())
        if way.offloaded:
            stack.enter_context(save_on_cpu())
        context = partial(request.autocast, images.device)
        roots = stack.enter_context(recomputed(way.recomputed or (), partial(_is_rooted, request, first), context))
        loss: Tensor | None = None
        with ExitStack() as forward:
            forward.enter_context(context())
            watches = {probe: forward.enter_context(probe.watch(subject)) for probe in plan.probes}
            recorder: Recorder | None = None
            if sums is not None:
                recorder = Recorder(
                    model,
                    sums,
                    rule=subject.rule,
                    blocks=subject.blocks,
                    first_level=min(first_levels.values()),
                    gradients=plan.response_gradients,
                )
                forward.enter_context(recorder)
            # A leaf of the graph is not the model's to overwrite.
            output = model(images.clone() if image_gradients else images)
            if recorder is not None and recorder.calls == 0:
                unanswered = request.unanswered(model)
                recorder = sums = None
            if plan.loss_gradients:
                loss = subject.loss_of(output)
        image_gradient: Tensor | None = None
        if image_gradients:
            with suppress(NotApplicableError):  # which is then the answer of those who asked for it
                logits = logits_of(output)
                more = loss is not None or plan.class_gradients
                image_gradient = _image_gradient(logits.sum(), images, retain_graph=more)
                for watch in watches.values():
                    watch.each_class(logits, images, image_gradient)
        gradients: Sequence[Tensor | None] = ()
        if loss is not None:
            scale = request.loss_scale
            for watch in watches.values():
                watch.listening, watch.loss_scale = True, scale
            gradients = [
                None if g is None else g / scale for g in _backward(recorder, loss * scale, weights, images, roots)
            ]
            for watch in watches.values():
                watch.listening = False
    if sums is not None:
        sums.complete()
    seen = Seen(
        output.detach() if isinstance(output, Tensor) else output,
        image_gradient,
        [torch.zeros_like(w) if g is None else g for w, g in zip(weights, gradients, strict=True)] if weights else None,
    )
    results: dict[Need, Any] = {
        probe: result_or_reason(partial(watch.finish, subject, seen)) for probe, watch in watches.items()
    }
    results.update(unanswered)
    return Measured(results, sums, max(1, len(subject.blocks)), first_levels, way.saving)


def _is_rooted(request: Request, first_level: int, block: nn.Module) -> bool:
    """Whether the graph may begin at a response inside `block`."""
    inside = set(block.modules())
    levels = [level for level, opening in enumerate(request.blocks) if opening in inside]
    return request.plan.response_gradients and (not levels or levels[-1] >= first_level)


def _image_gradient(total: Tensor, images: Tensor, *, retain_graph: bool) -> Tensor:
    """The gradient of `total` with respect to the images: zero where it does not depend on them."""
    gradient: Tensor | None = None
    if total.requires_grad:
        (gradient,) = torch.autograd.grad(total, images, retain_graph=retain_graph, allow_unused=True)
    return torch.zeros_like(images) if gradient is None else gradient


def _backward(
    recorder: Recorder | None, loss: Tensor, weights: Sequence[Tensor], images: Tensor, roots: Sequence[Tensor]
) -> Sequence[Tensor | None]:
    """The backward of the loss; gradients of `weights`."""
    if recorder is None:
        if not (weights and loss.requires_grad):
            return [None] * len(weights)
        return torch.autograd.grad(loss, weights, allow_unused=True)
    cut = images.requires_grad and recorder.first_level > 0
    also = [*weights, *roots] if weights or roots or cut or not images.requires_grad else [images]
    return recorder.backward(loss, also=also, begun_before=cut)[: len(weights)]
