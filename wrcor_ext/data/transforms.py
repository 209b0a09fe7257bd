"""Decoding, resizing, augmenting and normalising images.

Everything runs in numpy and Pillow on one thread: the bytes do not depend on how many threads torch has.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wrcor_ext.data.statistics import Statistics
from wrcor_ext.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[int, int, int, int]

# RandomCrop(32, padding=4) for CIFAR and RandomCrop(16, padding=2) for ImageNet16 in NAS-Bench-201.
_PADDING_DIVISOR = 8


def decode(stream: IO[bytes], name: object) -> Image:
    """Decode an image file to 8-bit RGB.

    Raises:
        InputError: the bytes are no image that Pillow can decode; `name` says which file.
    """
    from PIL import Image

    try:
        return Image.open(stream).convert("RGB")
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        raise InputError(f"cannot decode image {name}: {error}") from error


def resized(image: Image, size: int, box: Box | None = None) -> npt.NDArray[np.generic]:
    """Cut `box` (left, top, right, bottom; default: the largest centred square) out and resize it to a square.

    Bilinear with antialiasing: when shrinking, every source pixel counts.

    Returns:
        [size, size] or [size, size, channels], in the dtype of the image.
    """
    from PIL.Image import Resampling

    if box is None:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        box = (left, top, left + side, top + side)
    # Not resize(box=box): its filter reaches beyond the edges of the box.
    return np.asarray(image.crop(box).resize((size, size), Resampling.BILINEAR))


def resized_bytes(images: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """`resized` for [n, H, W, 3] uint8 images; returns [n, size, size, 3]."""
    from PIL import Image

    return np.stack([resized(Image.fromarray(image), size) for image in images])


def resized_floats(images: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """`resized` for [n, 3, H, W] float32 images, channel by channel; returns [n, 3, size, size]."""
    from PIL import Image

    planes = images.reshape(-1, *images.shape[2:])
    return np.stack([resized(Image.fromarray(plane), size) for plane in planes]).reshape(-1, 3, size, size)


def from_bytes(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """[n, H, W, 3] uint8 to [n, 3, H, W] float32 between 0 and 1."""
    planes: npt.NDArray[np.float32] = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
    planes /= np.float32(255)
    return planes


def augmented(pixels: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """The benchmarks' augmentation: a horizontal flip with probability 1/2, then a random shift.

    The shift is a crop at a random place of the image with a black border of an eighth of its side (4 pixels at 32).

    Args:
        pixels: [n, 3, S, S], black is 0.
        rng: the generator to draw from.
    """
    count, _, _, size = pixels.shape
    padding = size // _PADDING_DIVISOR
    flips = rng.random((count,)) < 0.5
    offsets = rng.integers(0, 2 * padding, size=(count, 2), endpoint=True)
    border = ((0, 0), (padding, padding), (padding, padding))
    result = np.empty_like(pixels)
    for target, image, flip, (top, left) in zip(result, pixels, flips, offsets, strict=True):
        padded = np.pad(image[..., ::-1] if flip else image, border)
        target[...] = padded[:, top : top + size, left : left + size]
    return result


def normalised(pixels: npt.NDArray[np.float32], statistics: Statistics) -> npt.NDArray[np.float32]:
    """(pixels - mean) / std per channel; pixels [n, 3, S, S]."""
    mean, std = (np.array(values, dtype=np.float32).reshape(3, 1, 1) for values in (statistics.mean, statistics.std))
    return (pixels - mean) / std
