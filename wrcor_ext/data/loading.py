"""`load`: from a data specification to one reproducible batch."""

from __future__ import annotations

import operator
import os
from os import PathLike
from pathlib import Path

import numpy as np
import torch

from wrcor_ext.data.batch import Batch, fingerprint
from wrcor_ext.data.registry import Request, resolve
from wrcor_ext.data.transforms import augmented, normalised
from wrcor_ext.errors import InputError

# The largest side that is asked for by intent rather than by mistake.
MAX_IMAGE_SIZE = 4096


def load(
    spec: str,
    *,
    batch_size: int = 64,
    seed: int = 0,
    image_size: int = 32,
    augment: bool = True,
    data_root: str | PathLike[str] | None = None,
    download: bool = False,
) -> Batch:
    """Load one fixed mini-batch.

    The same arguments give the same bytes on every run and for any number of threads; no global random state is
    read or changed. `augment` changes how the images look, not which ones are taken.

    Args:
        spec: `photos`, `noise`, `npz:FILE`, `folder:DIR`, `cifar10` or `cifar100`; see `sources()`.
        batch_size: number of images, at least 2.
        seed: decides which images are taken and how they are augmented, at least 0.
        image_size: side of the images in pixels, at most 4096; other sizes are cropped to the centred square and
            resized.
        augment: flip half of the images and shift all by a random crop out of a black border, as published for
            the benchmarks.
        data_root: the folder of torchvision's data sets, used by `cifar10` and `cifar100` only.
        download: let torchvision download the data set into `data_root` if it is not there.

    Returns:
        The batch, images normalised with the published statistics of the data set.

    Raises:
        InputError: an argument is out of range, the source is unknown, its data is missing or broken, or the batch does
            not fit into memory.
    """
    source, argument = resolve(spec)
    batch_size = _whole("batch_size", batch_size, at_least=2, reason=": a batch of one image has no correlation")
    seed = _whole("seed", seed, at_least=0)
    image_size = _whole("image_size", image_size, at_least=1, at_most=MAX_IMAGE_SIZE)

    # Two streams, so that switching augmentation off leaves the choice of images as it was.
    picking, augmenting = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    root = None if data_root is None else Path(os.path.expanduser(data_root))
    try:
        sample = source.read(Request(spec, argument, batch_size, image_size, picking, root, download))
        if sample.num_classes < 2:
            raise InputError(f"data {spec!r} has {sample.num_classes} class, whose loss has no gradient; 2 are needed")
        pixels = augmented(sample.pixels, augmenting) if augment and source.augmented else sample.pixels
        images = torch.from_numpy(normalised(pixels, sample.statistics))
    except MemoryError as error:
        raise InputError(
            f"{batch_size} images of {image_size}x{image_size} pixels do not fit into memory: use fewer or smaller ones"
        ) from error
    labels = torch.from_numpy(sample.labels)
    return Batch(images, labels, sample.num_classes, spec, fingerprint(images, labels))


def _whole(name: str, value: int, *, at_least: int, at_most: int | None = None, reason: str = "") -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = at_least - 1
    if number < at_least:
        raise InputError(f"{name} is {value!r}, but must be a whole number of at least {at_least}{reason}")
    if at_most is not None and number > at_most:
        raise InputError(f"{name} is {value!r}, but must be a whole number from {at_least} to {at_most}")
    return number
