"""Passes through a network: bare ones, recorded ones, and a whole score by numpy."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from networks import Subject
from torch import Tensor

from wrcor_ext import levels as level_blocks
from wrcor_ext import ops, proxies
from wrcor_ext.recorder import Recorder, Rule, Sink
from wrcor_ext.response_sums import ResponseSums


class Nothing:
    """A recorder's sink that does nothing."""

    def activation(self, level: int, response: Tensor) -> None:
        """Nothing."""

    def gradient(self, level: int, response: Tensor) -> None:
        """Nothing."""


class OnHost:
    """A recorder's sink that correlates each response with numpy, as it comes.

    Attributes:
        k: [N, N] float64, the sum of 2^level abs(C) over the responses that have no NaN.
    """

    def __init__(self, images: int) -> None:
        self.k = np.zeros((images, images))

    def activation(self, level: int, response: Tensor) -> None:
        """Adds a response [N, ...]."""
        with np.errstate(divide="ignore", invalid="ignore"):  # a row without variance
            c = np.abs(np.corrcoef(response.detach().flatten(1).cpu().numpy()))
        if not np.isnan(c).any():
            self.k += 2.0**level * c

    gradient = activation


def training_step(subject: Subject) -> None:
    """Forward, loss and backward into the parameters."""
    F.cross_entropy(subject.model(subject.images), subject.labels).backward()
    subject.model.zero_grad(set_to_none=True)


def inference(subject: Subject) -> None:
    """The forward alone, batch-norms with the statistics of the batch."""
    with torch.no_grad():
        subject.frozen(subject.placed)


def input_gradient(subject: Subject) -> None:
    """The forward, and the backward through all activations to the images."""
    entry = subject.placed.detach().requires_grad_()
    torch.autograd.grad(F.cross_entropy(subject.frozen(entry), subject.labels), [entry])


def recorded(subject: Subject, sink: Sink, *, rule: Rule = "activations", tail: int | None = None) -> None:
    """A forward and a backward that hand every response to the sink, as a score's do."""
    blocks = level_blocks.resolve(subject.frozen, "auto")
    first = 0 if tail is None else max(0, len(blocks) - tail)
    recorder = Recorder(subject.frozen, sink, rule=rule, blocks=blocks, first_level=first)
    with recorder:
        output = subject.frozen(subject.images if rule == "reference" else subject.placed)
    recorder.backward(F.cross_entropy(output, subject.labels))


def summed(subject: Subject) -> Tensor:
    """K of `wrcor`, [N, N] float64, on the device."""
    need = proxies.get("wrcor").needs
    sums = ResponseSums({need: 0}, subject.images.shape[0], subject.images.device)
    recorded(subject, sums)
    return sums.sums[need].k


def log_det(k: Tensor) -> float:
    """log abs det K, on the host."""
    return float(ops.slogdet(k)[1])


def score_on_host(subject: Subject, *, rule: Rule = "activations", tail: int | None = None) -> float:
    """WRCor by `numpy.corrcoef` on the host: the yardstick for speed, and the oracle of the scores."""
    sink = OnHost(subject.images.shape[0])
    recorded(subject, sink, rule=rule, tail=tail)
    return cast(float, np.linalg.slogdet(sink.k).logabsdet)
