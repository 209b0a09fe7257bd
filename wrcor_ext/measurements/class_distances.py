"""Distances between the classes of a batch, and within them, on the feature map before global pooling."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.measurements.feature_map import PooledMap, found
from wrcor_ext.needs import Probe, Seen, Skipped, Subject, Watch


@dataclass(frozen=True)
class ClassDistances(Probe):
    """(between, within), float64 scalars, of the features of each image as one vector.

    between: the mean Euclidean distance between the means of the classes present. within: the mean over those classes
    of the mean distance between two of its images. Both include the distance zero of everything from itself.
    """

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        """The classes are the labels'."""
        return True

    def watch(self, subject: Subject) -> Watch:
        """Watches for the last global pooling."""
        return _Watch()


class _Watch(Watch):
    def __init__(self) -> None:
        super().__init__()
        self._pooled = PooledMap()
        self._attached = ExitStack()

    def __enter__(self) -> Watch:
        self._attached.enter_context(self._pooled)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._attached.close()

    def finish(self, subject: Subject, seen: Seen) -> tuple[Tensor, Tensor] | Skipped:
        try:
            labels = class_labels(subject)
            features = found(subject.model, self._pooled).flatten(1).double()
        except NotApplicableError as error:
            return Skipped(str(error))
        return _distances(features, labels)


def _distances(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Both means without a look at which classes there are: that would make the host wait for a GPU.

    Every image stands for its class with the weight 1 / (size of the class), so that each class counts once.
    """
    same = (labels[:, None] == labels).double()
    weights = 1 / same.sum(1)
    classes = weights.sum()
    means = weights[:, None] * same @ features
    between = weights @ _pairwise(means) @ weights / classes**2
    within = weights**2 @ (same * _pairwise(features)).sum(1) / classes
    return between, within


def class_labels(subject: Subject) -> Tensor:
    """The labels [N] as class indices.

    Raises:
        NotApplicableError: if they are none, as with a loss of the caller's own.
    """
    labels = subject.labels
    assert labels is not None  # refused before the first pass
    if labels.dim() != 1 or labels.is_floating_point():
        raise NotApplicableError(
            f"one class index per image is needed, and the labels are {labels.dtype} of shape {tuple(labels.shape)}"
        )
    return labels


def _pairwise(points: Tensor) -> Tensor:
    # Not by way of a matrix product, which is coarse for near points.
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
