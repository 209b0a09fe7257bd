"""The gradients of the loss with respect to the weights of convolutions and linear layers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from wrcor_ext.needs import Probe, Seen, Subject, Watch, weight_layers


@dataclass(frozen=True)
class WeightGradients(Probe):
    """Per convolution and linear layer (weight, gradient of the loss with respect to it), from one backward."""

    weight_gradients = True

    def watch(self, subject: Subject) -> Watch:
        """Nothing to watch: the backward is the pass's."""
        return _Watch()


class _Watch(Watch):
    def finish(self, subject: Subject, seen: Seen) -> list[tuple[Tensor, Tensor]]:
        assert seen.weight_gradients is not None
        weights = [layer.weight.detach() for layer in weight_layers(subject.model)]
        return list(zip(weights, seen.weight_gradients, strict=True))
