"""`cifar10` and `cifar100`: the official training sets, read by torchvision (an optional dependency).

The official files are pickles. torchvision compares the MD5 of every file with the published one before it unpickles
any, so a file of other origin is refused, not executed.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from wrcor_ext.data.registry import Request, Sample, register
from wrcor_ext.data.statistics import CIFAR10, CIFAR100, Statistics
from wrcor_ext.data.transforms import from_bytes, resized_bytes
from wrcor_ext.errors import InputError


class _Dataset(Protocol):
    """What is used of torchvision's CIFAR10 and CIFAR100."""

    data: npt.NDArray[np.uint8]  # [n, 32, 32, 3]
    targets: list[int]


class _DatasetClass(Protocol):
    def __call__(self, *, root: Path, train: bool, download: bool) -> _Dataset: ...


@register("cifar10", summary="CIFAR-10 training images through torchvision (--data-root, --download)")
def read_cifar10(request: Request) -> Sample:
    """A random subset of the 50,000 training images, 10 classes."""
    return _read(request, "CIFAR10", 10, CIFAR10)


@register("cifar100", summary="CIFAR-100 training images through torchvision (--data-root, --download)")
def read_cifar100(request: Request) -> Sample:
    """A random subset of the 50,000 training images, 100 fine classes."""
    return _read(request, "CIFAR100", 100, CIFAR100)


def _read(request: Request, class_name: str, num_classes: int, statistics: Statistics) -> Sample:
    dataset = _open(request, class_name)
    images, targets = dataset.data, np.asarray(dataset.targets, dtype=np.int64)
    if len(images) < request.batch_size:
        raise InputError(
            f"{request.spec} has {len(images)} training images, fewer than the batch of {request.batch_size}"
        )
    chosen = request.rng.choice(len(images), size=request.batch_size, replace=False)
    pixels = from_bytes(resized_bytes(images[chosen], request.image_size))
    return Sample(pixels, targets[chosen], num_classes, statistics)


def _open(request: Request, class_name: str) -> _Dataset:
    if request.data_root is None:
        raise InputError(
            f"data {request.spec!r} needs --data-root DIR, the folder that holds it or that --download may fill"
        )
    if not request.download and not request.data_root.is_dir():
        raise InputError(
            f"there is no folder {request.data_root}; give the folder of {request.spec} as --data-root, "
            "or add --download to fetch it"
        )
    create = _dataset_class(request.spec, class_name)
    try:
        return create(root=request.data_root, train=True, download=request.download)
    except (RuntimeError, OSError) as error:
        # torchvision reports a missing or altered file as RuntimeError; a failed download or full disk is an OSError.
        if request.download:
            raise InputError(f"cannot download {request.spec} into {request.data_root}: {error}") from error
        raise InputError(
            f"{request.data_root} does not hold the official files of {request.spec}; give their folder as "
            "--data-root, or add --download to fetch them"
        ) from error


def _dataset_class(spec: str, class_name: str) -> _DatasetClass:
    try:
        datasets = importlib.import_module("torchvision.datasets")
    except ImportError as error:
        raise InputError(f"data {spec!r} needs torchvision, which is not installed: pip install torchvision") from error
    except RuntimeError as error:  # how a torchvision built for another torch fails to import
        raise InputError(f"data {spec!r} needs a torchvision that fits the installed torch: {error}") from error
    return cast("_DatasetClass", getattr(datasets, class_name))
