"""`folder:DIR`: one folder of image files per class, the layout of torchvision's ImageFolder.

Read with Pillow alone, so that it works without torchvision; classes and files come in torchvision's order.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wrcor_ext.data.registry import Request, Sample, register
from wrcor_ext.data.statistics import IMAGENET
from wrcor_ext.data.transforms import decode, from_bytes, resized
from wrcor_ext.errors import InputError

_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


@register("folder", argument="DIR", summary="a folder with one folder of image files per class (ImageFolder layout)")
def read(request: Request) -> Sample:
    """A random subset of the files; only those are opened."""
    root = Path(os.path.expanduser(request.argument))
    try:
        files, classes = index(root)
    except OSError as error:
        raise InputError(f"data {request.spec!r}: cannot list {error.filename}: {error.strerror}") from error
    if len(files) < request.batch_size:
        raise InputError(f"{root} holds {len(files)} images, fewer than the batch of {request.batch_size}")
    chosen = [files[i] for i in request.rng.choice(len(files), size=request.batch_size, replace=False)]
    pixels = np.stack([_pixels(path, request.image_size) for path, _ in chosen])
    labels = np.array([label for _, label in chosen], dtype=np.int64)
    return Sample(from_bytes(pixels), labels, len(classes), IMAGENET)


def index(root: Path) -> tuple[list[tuple[Path, int]], list[str]]:
    """All image files with their labels, and the class names; labels number the class folders in sorted order.

    Folders whose name starts with a dot are no classes.

    Raises:
        InputError: there is no class folder, or a class folder without an image.
        OSError: a folder is missing or cannot be listed.
    """
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    if not classes:
        raise InputError(f"{root} holds no folders; it needs one folder of images per class")
    files: list[tuple[Path, int]] = []
    for label, name in enumerate(classes):
        found = _images_below(root / name)
        if not found:
            raise InputError(f"class folder {root / name} holds no image file ({', '.join(_EXTENSIONS)})")
        files += [(path, label) for path in found]
    return files, classes


def _images_below(directory: Path) -> list[Path]:
    def fail(error: OSError) -> None:
        raise error  # os.walk would pass over an unreadable folder in silence

    found: list[Path] = []
    for parent, _, names in sorted(os.walk(directory, onerror=fail, followlinks=True)):
        found += [Path(parent, name) for name in sorted(names) if name.lower().endswith(_EXTENSIONS)]
    return found


def _pixels(path: Path, size: int) -> npt.NDArray[np.generic]:
    try:
        with path.open("rb") as stream:
            return resized(decode(stream, path), size)
    except OSError as error:
        raise InputError(f"cannot read image {path}: {error.strerror}") from error
