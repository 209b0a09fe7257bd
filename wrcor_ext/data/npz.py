"""`npz:FILE`: arrays of images and labels in a numpy archive, read without ever unpickling anything.

Arrays of the archive:

| name | content |
|---|---|
| `images` | [n, H, W, 3] uint8, or [n, 3, H, W] of a floating dtype, used as it is |
| `labels` | [n] integers from 0 |
| `num_classes` or `class_names` | optional: the number of classes, or their names; default: largest label + 1 |
| `mean`, `std` | optional: 3 numbers each, for uint8 images on the scale 0..1; default: those of all `images` |
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from wrcor_ext.data.registry import Request, Sample, register
from wrcor_ext.data.statistics import Statistics, channel_statistics
from wrcor_ext.data.transforms import from_bytes, resized_bytes, resized_floats
from wrcor_ext.errors import InputError

Array = npt.NDArray[Any]

_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")  # with members, empty

# What numpy and zipfile raise for damaged archives, unknown compressions, encrypted members and absurd shapes.
_BROKEN = (ValueError, OSError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


@register("npz", argument="FILE", summary="a numpy archive with the arrays images and labels")
def read(request: Request) -> Sample:
    """A random subset of the images."""
    path = Path(os.path.expanduser(request.argument))
    arrays = _arrays(path)
    images, labels = arrays["images"], arrays["labels"]
    channel_axis = _check_images(path, images)
    _check_labels(path, labels, len(images))
    if len(images) < request.batch_size:
        raise InputError(f"{path} holds {len(images)} images, fewer than the batch of {request.batch_size}")
    statistics = _statistics(path, arrays, channel_axis)
    num_classes = _num_classes(path, arrays)

    chosen = request.rng.choice(len(images), size=request.batch_size, replace=False)
    if images.dtype == np.uint8:
        pixels = from_bytes(resized_bytes(images[chosen], request.image_size))
    else:
        pixels = resized_floats(images[chosen].astype(np.float32), request.image_size)
    return Sample(pixels, labels[chosen].astype(np.int64), num_classes, statistics)


def _arrays(path: Path) -> dict[str, Array]:
    """The arrays that this module knows, of those in the file."""
    if not os.path.isfile(path):
        raise InputError(f"there is no file {path}")
    try:
        with path.open("rb") as stream:
            return _known_arrays(path, stream)
    except InputError:  # which is a ValueError as well
        raise
    except _BROKEN as error:
        raise InputError(f"cannot read {path}: {error}") from error


def _known_arrays(path: Path, stream: BinaryIO) -> dict[str, Array]:
    if stream.read(4) not in _ZIP_MAGIC:  # numpy would take the file for a single array or a pickle
        raise InputError(f"{path} is no .npz file")
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as archive:
        for name in ("images", "labels"):
            if name not in archive.files:
                held = ", ".join(archive.files) or "nothing"
                raise InputError(f"{path} has no array {name!r}: it holds {held}; images and labels are needed")
        known = ("images", "labels", "num_classes", "class_names", "mean", "std")
        return {name: _array(path, archive, name) for name in known if name in archive.files}


def _array(path: Path, archive: Mapping[str, Any], name: str) -> Array:
    try:
        array = archive[name]
    except _BROKEN as error:
        reason = str(error).rstrip(".")
        raise InputError(f"array {name!r} in {path} is broken or pickled, which is never read: {reason}") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{name!r} in {path} is not a numpy array")
    return array


def _check_images(path: Path, images: Array) -> int:
    """The axis of the channels."""
    kinds = {3: images.dtype == np.uint8, 1: np.issubdtype(images.dtype, np.floating)}
    axis = next((axis for axis, fits in kinds.items() if fits and images.ndim == 4 and images.shape[axis] == 3), None)
    if axis is None or 0 in images.shape[1:]:
        raise InputError(
            f"images in {path} are {images.dtype} {list(images.shape)}, "
            "but must be uint8 [n, H, W, 3] or floating [n, 3, H, W]"
        )
    if axis == 1:
        with np.errstate(over="ignore"):
            usable = np.isfinite(images.astype(np.float32, copy=False)).all(axis=(1, 2, 3))
        if not usable.all():
            raise InputError(f"image {int(np.argmin(usable))} in {path} holds NaN, infinity or a number beyond float32")
    return axis


def _check_labels(path: Path, labels: Array, count: int) -> None:
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"labels in {path} are {labels.dtype} {list(labels.shape)}, but must be whole numbers [n]")
    if len(labels) != count:
        raise InputError(f"{path} holds {count} images but {len(labels)} labels")
    if count and labels.min() < 0:
        raise InputError(f"label {labels.min()} in {path} is negative; labels count from 0")


def _num_classes(path: Path, arrays: Mapping[str, Array]) -> int:
    largest = int(arrays["labels"].max())
    if "num_classes" in arrays:
        number = arrays["num_classes"]
        if number.size != 1 or not np.issubdtype(number.dtype, np.integer):
            raise InputError(f"num_classes in {path} is {number.tolist()!r}, but must be one whole number")
        classes = int(number.item())
    elif "class_names" in arrays:
        classes = arrays["class_names"].size
    else:
        return largest + 1
    if largest >= classes:
        raise InputError(f"label {largest} in {path} is out of range for its {classes} classes")
    return classes


def _statistics(path: Path, arrays: Mapping[str, Array], channel_axis: int) -> Statistics:
    if "mean" in arrays and "std" in arrays:
        return Statistics(_triple(path, "mean", arrays["mean"]), _triple(path, "std", arrays["std"], positive=True))
    if "mean" in arrays or "std" in arrays:
        raise InputError(f"{path} holds only one of mean and std; both or neither are needed")
    images = arrays["images"]
    statistics = channel_statistics(images, channel_axis=channel_axis)
    for channel, mean, std in zip(("red", "green", "blue"), statistics.mean, statistics.std, strict=True):
        if std <= np.finfo(np.float32).eps * abs(mean):  # constant, but for the rounding of the mean
            raise InputError(f"the {channel} channel of the images in {path} is constant and cannot be normalised")
    return statistics.scaled(1 / 255) if images.dtype == np.uint8 else statistics


def _triple(path: Path, name: str, values: Array, *, positive: bool = False) -> tuple[float, float, float]:
    if values.shape == (3,) and (np.issubdtype(values.dtype, np.floating) or np.issubdtype(values.dtype, np.integer)):
        red, green, blue = values.astype(np.float64).tolist()
        smallest = np.finfo(np.float32).tiny if positive else -np.inf  # a divisor must not vanish in float32
        if np.isfinite(values).all() and min(red, green, blue) >= smallest:
            return red, green, blue
    kind = "positive numbers" if positive else "numbers"
    raise InputError(f"{name} in {path} is {values.tolist()!r}, but must be 3 {kind}, one per channel")
