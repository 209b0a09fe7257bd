"""Passes through a network: bare ones, recorded ones, and a whole score by numpy."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from networks import Network
from torch import Tensor

from wrcor_ext import levels as level_blocks
from wrcor_ext import ops, proxies
from wrcor_ext.needs import ResponseSum
from wrcor_ext.recorder import Recorder, Rule, Sink
from wrcor_ext.response_sums import ResponseSums, settle

_NEED = cast(ResponseSum, proxies.get("wrcor").needs[0])


class Nothing:
    """A recorder's sink that does nothing."""

    def activation(self, level: int, response: Tensor, *, overwritten: bool = False) -> None:
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

    def activation(self, level: int, response: Tensor, *, overwritten: bool = False) -> None:
        """Adds a response [N, ...]."""
        with np.errstate(divide="ignore", invalid="ignore"):  # a row without variance
            c = np.abs(np.corrcoef(response.detach().flatten(1).cpu().numpy()))
        if not np.isnan(c).any():
            self.k += 2.0**level * c

    def gradient(self, level: int, response: Tensor) -> None:
        """Adds a response [N, ...]."""
        self.activation(level, response)


def training_step(network: Network) -> None:
    """Forward, loss and backward into the parameters."""
    F.cross_entropy(network.model(network.images), network.labels).backward()
    network.model.zero_grad(set_to_none=True)


def inference(network: Network) -> None:
    """The forward alone, batch-norms with the statistics of the batch."""
    with torch.no_grad():
        network.frozen(network.placed)


def input_gradient(network: Network) -> None:
    """The forward, and the backward through all activations to the images."""
    entry = network.placed.detach().requires_grad_()
    torch.autograd.grad(F.cross_entropy(network.frozen(entry), network.labels), [entry])


def recorded(network: Network, sink: Sink, *, rule: Rule = "activations", tail: int | None = None) -> None:
    """A forward and a backward that hand every response to the sink, as a score's do."""
    blocks = level_blocks.resolve(network.frozen, "auto")
    first = 0 if tail is None else max(0, len(blocks) - tail)
    recorder = Recorder(network.frozen, sink, rule=rule, blocks=blocks, first_level=first)
    with recorder:
        output = network.frozen(network.images if rule == "reference" else network.placed)
    recorder.backward(F.cross_entropy(output, network.labels))


def summed(network: Network) -> ResponseSums:
    """The sums of `wrcor`, on the device: all launched, not waited for."""
    sums = ResponseSums({_NEED: 0}, network.images.shape[0], network.images.device)
    recorded(network, sums)
    sums.flush()
    return sums


def kernel_matrix(network: Network) -> Tensor:
    """K of `wrcor`, [N, N] float64, on the device."""
    (found,) = settle([summed(network)])
    return cast(Tensor, found[_NEED].k)


def log_det(k: Tensor) -> float:
    """log abs det K, on the host."""
    return float(ops.slogdet(k)[1])


def score_on_host(network: Network, *, rule: Rule = "activations", tail: int | None = None) -> float:
    """WRCor by `numpy.corrcoef` on the host: the yardstick for speed, and the oracle of the scores."""
    sink = OnHost(network.images.shape[0])
    recorded(network, sink, rule=rule, tail=tail)
    return cast(float, np.linalg.slogdet(sink.k).logabsdet)
