"""`noise`: standard normal images, for quick trials and for asking how much a score depends on the images."""

from __future__ import annotations

import numpy as np

from wrcor_ext.data.registry import Request, Sample, register
from wrcor_ext.data.statistics import IDENTITY

_CLASSES = 10


@register("noise", summary="standard normal images with random labels of 10 classes", augmented=False)
def read(request: Request) -> Sample:
    """Independent normal pixels of mean 0 and variance 1, labels uniform over 10 classes."""
    shape = (request.batch_size, 3, request.image_size, request.image_size)
    pixels = request.rng.standard_normal(shape, dtype=np.float32)
    labels = request.rng.integers(_CLASSES, size=request.batch_size, dtype=np.int64)
    return Sample(pixels, labels, _CLASSES, IDENTITY)
