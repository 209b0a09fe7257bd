"""`photos`: crops of the colour photographs inside the scikit-image wheel, the data that needs no data set."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from wrcor_ext.data.registry import Request, Sample, register
from wrcor_ext.data.statistics import IMAGENET
from wrcor_ext.data.transforms import Box, decode, from_bytes, resized
from wrcor_ext.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

# All colour photographs that every scikit-image wheel since 0.22 carries in skimage/data (one of the stereo pair);
# the position is the label. Files that scikit-image would download are left out.
PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)

# Side of a crop as a fraction of the photograph's short side. Smaller crops can miss the subject altogether; larger
# ones of one photograph are nearly the same image twice.
_SMALLEST, _LARGEST = 0.25, 0.75


@register("photos", summary="crops of the photographs inside scikit-image, labelled by photograph (no data needed)")
def read(request: Request) -> Sample:
    """`batch_size` random crops, as many of each photograph as of any other, give or take one."""
    count, size = request.batch_size, request.image_size
    labels = np.arange(count, dtype=np.int64) % len(PHOTOGRAPHS)
    fractions = request.rng.uniform(_SMALLEST, _LARGEST, size=count)
    positions = request.rng.random((count, 2))
    pixels = np.empty((count, size, size, 3), dtype=np.uint8)
    for label, name in enumerate(PHOTOGRAPHS[:count]):
        photograph = _open(name)
        for i in np.flatnonzero(labels == label):
            box = _crop(photograph.size, size, float(fractions[i]), (float(positions[i, 0]), float(positions[i, 1])))
            pixels[i] = resized(photograph, size, box)
    return Sample(from_bytes(pixels), labels, len(PHOTOGRAPHS), IMAGENET)


def _crop(extent: tuple[int, int], size: int, fraction: float, position: tuple[float, float]) -> Box:
    """A square box inside an image of `extent` (width, height); not smaller than `size`, if the image is not."""
    short = min(extent)
    side = max(round(fraction * short), min(size, short))
    left, top = (int(part * (length - side + 1)) for part, length in zip(position, extent, strict=True))
    return left, top, left + side, top + side


def _open(name: str) -> Image:
    try:
        # The files are read from the package's folder: importing skimage.data takes longer than decoding them all.
        with resources.files("skimage").joinpath("data").joinpath(name).open("rb") as stream:
            return decode(stream, name)
    except ModuleNotFoundError:
        raise InputError("data 'photos' needs scikit-image, which is not installed: pip install scikit-image") from None
    except OSError:
        raise InputError(f"data 'photos': this installation of scikit-image lacks its data/{name}") from None
