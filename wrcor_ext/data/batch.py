"""The batch that scores are computed on, and its fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass(frozen=True, eq=False)  # tensors have no single truth value: batches are compared by their sha256
class Batch:
    """One mini-batch of images with their labels.

    Attributes:
        images: [N, 3, S, S] float32 on the CPU, contiguous, normalised.
        labels: [N] int64 in [0, num_classes).
        num_classes: how many classes the data set has; the batch need not hold all of them.
        spec: the data specification that it was loaded from, such as `"photos"`.
        sha256: hexadecimal SHA-256 of the image bytes followed by the label bytes, both little-endian.
    """

    images: Tensor
    labels: Tensor
    num_classes: int
    spec: str
    sha256: str


def fingerprint(images: Tensor, labels: Tensor) -> str:
    """Hexadecimal SHA-256 of `images` (as float32) followed by `labels` (as int64), little-endian, row-major."""
    digest = hashlib.sha256()
    digest.update(np.ascontiguousarray(images.numpy(), dtype="<f4").tobytes())
    digest.update(np.ascontiguousarray(labels.numpy(), dtype="<i8").tobytes())
    return digest.hexdigest()
