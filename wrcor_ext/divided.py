"""The shared pass in micro-batches, for a batch that does not fit: the score of the whole batch, from parts of it.

- Each entry of a sum over responses compares two images. Every pair of micro-batches runs together, so that every two
  images meet, and its matrix is a block of the whole one.
- The loss is that of the logits of all images, and its gradient at the logits is where each part's backward begins.
  Gradients with respect to weights add up, those with respect to images stand one below the other.
- Batch-norms use the statistics of the whole batch (`wrcor_ext.whole_batch_norms`).

Whatever else couples the images of a batch is noticed: then an image's logits depend on the others that it runs with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from itertools import combinations
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from wrcor_ext.errors import InputError, NotApplicableError, WrcorError, in_words
from wrcor_ext.memory import out_of_memory
from wrcor_ext.needs import Need, Probe, ResponseSum, Seen, Skipped, Subject, Watch, logits_of, weights_of
from wrcor_ext.recorder import Recorder
from wrcor_ext.request import Measured, Request, result_or_reason
from wrcor_ext.response_sums import DifferentCallsError, ResponseSums
from wrcor_ext.tails import first_level
from wrcor_ext.whole_batch_norms import MixingError, StoppedError, WholeBatchNorms

# What is differentiated: the loss, and the sum of all outputs.
_LOSS, _OUTPUTS = "loss", "outputs"

# The fewest parts that pairs can be made of which are not the whole batch.
FEWEST_PARTS = 3

Whole = Callable[[Sequence[Probe]], Measured]


class IndivisibleError(Exception):
    """The score of the whole batch cannot be had from parts of it; the message says why."""


def divided(subject: Subject, request: Request, parts: int, whole: Whole) -> Measured:
    """The shared pass, with at most two of `parts` micro-batches at once.

    Args:
        subject: with the whole batch.
        request: what is measured.
        parts: 3 or more.
        whole: measures probes that need no backward on the whole batch.

    Raises:
        IndivisibleError: if that would give another score.
        InputError: as for the whole batch.
    """
    try:
        return _Division(subject, request, parts, whole).measured()
    except (IndivisibleError, InputError):
        raise
    except (MixingError, DifferentCallsError) as error:
        raise IndivisibleError("its forward does not do the same for every image") from error
    except NotApplicableError as error:
        raise IndivisibleError(str(error)) from error
    except Exception as error:  # a forward is foreign code, and may raise anything for fewer images than it is used to
        if out_of_memory(error) or isinstance(error, WrcorError):
            raise
        raise IndivisibleError(in_words(error)) from error


class _Division:
    def __init__(self, subject: Subject, request: Request, parts: int, whole: Whole) -> None:
        n = len(subject.images)
        if n < FEWEST_PARTS:
            raise IndivisibleError(f"{n} images are as few as can be compared")
        self._subject = subject
        self._request = request
        self._plan = request.plan
        self._parts = parts
        self._whole = whole
        self._rows = torch.arange(n, device=subject.images.device)
        # Each image once, in groups as large as a pair of parts.
        self._neighbours = self._rows.tensor_split(-(-parts // 2))
        self._norms = WholeBatchNorms()
        self._logits = self._learn_logits()
        self._at_logits = self._learn_gradients()

    def measured(self) -> Measured:
        """Everything that is asked of the pass."""
        first = first_level(self._subject, self._request.tail) if self._plan.level_weighted else 0
        first_levels = {need: first if need.level_weighted else 0 for need in self._plan.responses}
        sums = self._summed(first_levels) if first_levels else None
        results = self._probed()
        if first_levels and sums is None:
            results |= self._request.unanswered(self._subject.model)
        levels = max(1, len(self._subject.blocks))
        return Measured(results, sums, levels, first_levels, {"micro_batches": self._parts})

    def _forward(self, images: Tensor) -> Tensor:
        """The logits of some of the images."""
        with self._request.autocast(images.device), self._norms:
            output = self._subject.model(images)
        if self._plan.loss_gradients and self._request.loss is not F.cross_entropy and not isinstance(output, Tensor):
            raise IndivisibleError(f"the loss takes a {type(output).__name__}, not a tensor with a row per image")
        logits = logits_of(output)
        if logits.dim() == 0 or len(logits) != len(images):
            raise IndivisibleError(f"its output of shape {tuple(logits.shape)} has no row per image")
        return logits

    def _checked(self, rows: Tensor, images: Tensor) -> Tensor:
        """The logits of images `rows`, unless they depend on the other images."""
        logits, known = self._forward(images), self._logits[rows]
        # Between rounding, which a deep network amplifies, and what one image does to another.
        tolerance = torch.finfo(logits.dtype).eps ** 0.5 * float(known.abs().nan_to_num(0, 0, 0).amax())
        if not torch.allclose(logits.detach(), known, rtol=0, atol=tolerance, equal_nan=True):
            raise IndivisibleError("the outputs for an image depend on the other images, and not by batch-norms alone")
        return logits

    def _learn_logits(self) -> Tensor:
        """The logits [N, ...] of all images, without a graph; learns what batch-norms need for a forward."""
        at_once = True
        while True:
            found = []
            for rows in self._neighbours:
                with torch.no_grad(), suppress(StoppedError):
                    found.append(self._forward(self._subject.images[rows]))
            if not self._norms.learned():
                return torch.cat(found)
            # The rest from one forward of all images where that fits, which takes less memory than one with a graph.
            at_once = at_once and self._learn_at_once()

    def _learn_at_once(self) -> bool:
        try:
            with torch.no_grad(), self._norms.of_the_whole():
                self._forward(self._subject.images.clone())
        except Exception as error:  # torch says in several types that memory is short; all else is raised again
            if not out_of_memory(error):
                raise
            return False
        return True

    def _learn_gradients(self) -> dict[str, Tensor]:
        """Of all that is differentiated, the gradient at the logits; learns what batch-norms need for a backward."""
        at_logits = {}
        if self._plan.loss_gradients:
            logits = self._logits.clone().requires_grad_(True)
            with self._request.autocast(logits.device):
                loss = self._subject.loss_of(logits) * self._request.loss_scale
            at_logits[_LOSS] = _gradients(loss, [logits])[0]
        if self._plan.image_gradients and self._subject.images.is_floating_point():
            at_logits[_OUTPUTS] = torch.ones_like(self._logits)
        if self._norms.found:
            for kind, at in at_logits.items():
                self._learn_backward(kind, at)
        return at_logits

    def _learn_backward(self, kind: str, at_logits: Tensor) -> None:
        if not self._subject.images.is_floating_point():
            raise IndivisibleError(f"its images are {self._subject.images.dtype}, and batch-norms couple them")
        learned = True
        while learned:
            for rows in self._neighbours:
                images = self._subject.images[rows].requires_grad_(True)
                logits = self._forward(images.clone())
                with suppress(StoppedError), self._norms.differentiating(kind):
                    _gradients((logits * at_logits[rows]).sum(), [images])
            learned = self._norms.learned()

    def _summed(self, first_levels: dict[ResponseSum, int]) -> ResponseSums | None:
        """The sums over responses; None if the model has none."""
        n, device = len(self._rows), self._rows.device
        whole = ResponseSums(first_levels, n, device, grouped=False)
        partly: frozenset[int] = frozenset()
        while True:
            for pair in combinations(self._rows.tensor_split(self._parts), 2):
                rows = torch.cat(pair)
                sums = ResponseSums(first_levels, len(rows), device, grouped=False, without=partly)
                recorder = Recorder(
                    self._subject.model,
                    sums,
                    rule=self._subject.rule,
                    blocks=self._subject.blocks,
                    first_level=min(first_levels.values()),
                    gradients=self._plan.response_gradients,
                )
                with nullcontext() if self._plan.response_gradients else torch.no_grad():
                    with recorder:
                        logits = self._checked(rows, self._subject.images[rows])
                    if recorder.calls == 0:
                        return None
                    if self._plan.response_gradients:
                        with self._norms.differentiating(_LOSS):
                            recorder.backward((logits * self._at_logits[_LOSS][rows]).sum())
                whole.place(rows, sums)
            # A response that is undefined for one image is so for all: it has no place in any of the pairs.
            found = whole.partly_undefined
            if found <= partly:
                return whole
            partly = found
            whole = ResponseSums(first_levels, n, device, grouped=False)

    def _probed(self) -> dict[Need, Any]:
        """The results of all probes."""
        refused = Skipped(f"{type(self._subject.model).__name__} does not fit into memory with all its images at once")
        results: dict[Need, Any] = dict.fromkeys(self._plan.probes, refused)
        forward_only = [p for p in self._plan.probes if not (p.divides or p.image_gradients or p.weight_gradients)]
        if forward_only:
            try:
                results |= self._whole(forward_only).results
            except Exception as error:
                if not out_of_memory(error):
                    raise
        divides = [p for p in self._plan.probes if p.divides]
        return results | (self._probed_apart(divides) if divides else {})

    def _probed_apart(self, probes: Sequence[Probe]) -> dict[Need, Any]:
        subject = self._subject
        weights: Sequence[Tensor] = ()
        if self._plan.weight_gradients:
            with suppress(NotApplicableError):  # which is then the answer of those who asked for them
                weights = [weight.requires_grad_(True) for weight in weights_of(subject.model)]
        of_weights = [torch.zeros_like(weight) for weight in weights]
        of_images = torch.zeros_like(subject.images) if _OUTPUTS in self._at_logits else None
        watches = {probe: probe.watch(subject) for probe in probes}
        for start in range(len(self._neighbours)):
            rows = self._rows[start :: len(self._neighbours)]  # in other company than before
            images = subject.images[rows].requires_grad_(of_images is not None)
            with ExitStack() as stack:
                for watch in watches.values():
                    stack.enter_context(watch)
                with nullcontext() if self._at_logits else torch.no_grad():
                    logits = self._checked(rows, images.clone())
            if of_images is not None:
                with self._norms.differentiating(_OUTPUTS):
                    of_images[rows] = _gradients(logits.sum(), [images], retain_graph=bool(weights))[0]
            if weights:
                with self._norms.differentiating(_LOSS), _listening(watches.values(), self._request.loss_scale):
                    found = _gradients((logits * self._at_logits[_LOSS][rows]).sum(), weights)
                for total, gradient in zip(of_weights, found, strict=True):
                    total += gradient / self._request.loss_scale
        seen = Seen(self._logits, of_images, of_weights or None)
        return {p: result_or_reason(partial(watch.finish, subject, seen)) for p, watch in watches.items()}


@contextmanager
def _listening(watches: Iterable[Watch], loss_scale: float) -> Iterator[None]:
    for watch in watches:
        watch.listening, watch.loss_scale = True, loss_scale
    yield
    for watch in watches:
        watch.listening = False


def _gradients(total: Tensor, of: Sequence[Tensor], *, retain_graph: bool = False) -> Sequence[Tensor]:
    """The gradient of `total` with respect to each tensor: zero where it does not depend on one."""
    if not total.requires_grad:
        return [torch.zeros_like(tensor) for tensor in of]
    return torch.autograd.grad(total, of, retain_graph=retain_graph, allow_unused=True, materialize_grads=True)
