"""Bundles: images that a level's output leaves indistinguishable to a weight update in float32."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.measurements.class_distances import class_labels
from wrcor_ext.measurements.weights import largest_parameter
from wrcor_ext.needs import OwnPasses, Subject

LEARNING_RATE = 1e-3
_LOG_OFFSET = 1e-5


@dataclass(frozen=True)
class BundleEntropies(OwnPasses):
    """Per level the bundle entropy of its output, [L] float64, from one forward in eval mode.

    With a level's output a, flattened to [N, D], and the model's largest absolute parameter w, two images are in one
    bundle if w - a * 0.001 / N, in float32, is the same for both in every component. The entropy is that of the labels
    in a bundle, weighted by the bundle's share of the images and summed over bundles.

    Under `rule="reference"` a bundle's entropy is that of all N labels, where those outside it are taken for class 0.
    """

    needs_labels = True
    on: ClassVar[str] = "the images in eval mode"
    channels_last: ClassVar[bool] = True

    def measure(self, subject: Subject) -> Tensor:
        """Hooks the blocks that open levels; a block that is called twice counts twice."""
        model, n = subject.model, len(subject.images)
        # Class 0 in front, so that it has an index even where no image is of it.
        labels = torch.cat([torch.zeros_like(class_labels(subject)[:1]), class_labels(subject)])
        _, indices = labels.unique(return_inverse=True)
        outsiders = indices[0] if subject.rule == "reference" else None
        weight = largest_parameter(model).float()
        entropies: list[Tensor] = []

        def after(block: nn.Module, args: Any, out: Any) -> None:
            if not isinstance(out, Tensor) or out.shape[:1] != (n,):
                raise NotApplicableError(f"a level ({type(block).__name__}) hands on no tensor with a row per image")
            update = weight - out.flatten(1).float() * LEARNING_RATE / n
            entropies.append(_bundle_entropy(update, indices[1:], outsiders))

        with ExitStack() as hooks, torch.no_grad():
            for block in subject.blocks:
                hooks.callback(block.register_forward_hook(after).remove)
            model.eval()
            model(subject.images)
        if not entropies:
            raise NotApplicableError(f"{type(model).__name__} has no levels: give levels=")
        return torch.stack(entropies)


def _bundle_entropy(update: Tensor, labels: Tensor, outsiders: Tensor | None) -> Tensor:
    """Entropy of the bundles of equal rows of `update` [N, D]; labels [N] from 0 on.

    Args:
        update: what a weight becomes; NaN if not all of it is finite.
        labels: class indices without gaps, but that class `outsiders` may be missing.
        outsiders: the class that all images outside a bundle count as members of; None counts those inside only.
    """
    n, classes = len(labels), int(labels.max()) + 1
    _, bundles = update.unique(dim=0, return_inverse=True)
    count = int(bundles.max()) + 1
    members = torch.bincount(bundles * classes + labels, minlength=count * classes).view(count, classes).double()
    sizes = members.sum(1, keepdim=True)
    if outsiders is None:
        shares = members / sizes
    else:
        members[:, outsiders] += n - sizes[:, 0]
        shares = members / n
    # The offset inside the logarithm takes that of a single class below zero, where no entropy is.
    entropy = (-(shares * (shares + _LOG_OFFSET).log()).sum(1)).clamp(min=0)
    total = (entropy * sizes[:, 0] / n).sum()
    return torch.where(update.isfinite().all(), total, torch.nan)
