"""`get_dataloaders`: training and test images as published scripts ask for them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from wrcor_ext import data
from wrcor_ext.data.statistics import CIFAR10, CIFAR100
from wrcor_ext.errors import InputError, did_you_mean

_CIFAR = {"cifar10": ("CIFAR10", CIFAR10), "cifar100": ("CIFAR100", CIFAR100)}
_DEFAULT_SIZE = 32

Loader = DataLoader[tuple[Tensor, ...]]


def get_dataloaders(
    train_batch_size: int,
    test_batch_size: int,
    dataset: str,
    num_workers: int,
    resize: int | None = None,
    datadir: str = "_dataset",
) -> tuple[Loader, Loader]:
    """Loaders of (images [B, 3, S, S], labels [B]), the first one shuffled and augmented.

    Args:
        train_batch_size: images in a batch of the first.
        test_batch_size: images in a batch of the second.
        dataset: `cifar10` or `cifar100`, downloaded by torchvision where missing; or a data specification of this
            package (`photos`, `noise`, `npz:FILE`, `folder:DIR`), of which each loader has one batch.
        num_workers: processes that load.
        resize: side of the images in pixels; 32 if None.
        datadir: the folder of torchvision's data sets.

    Raises:
        InputError: for an unknown data set, or one that cannot be had.
    """
    size = _DEFAULT_SIZE if resize is None else resize
    name = dataset.lower()
    if name in _CIFAR:
        parts = [_cifar(name, size, Path(datadir), train=train) for train in (True, False)]
    else:
        try:
            data.registry.resolve(dataset)
        except InputError as error:
            near = did_you_mean(name, _CIFAR)
            raise InputError(f"{error}{f' ({near.strip()})' if near else ''}") from error
        sizes = (train_batch_size, test_batch_size)
        parts = [_one_batch(dataset, count, size, seed) for seed, count in enumerate(sizes)]
    train, test = parts
    return (
        DataLoader(train, batch_size=train_batch_size, shuffle=True, num_workers=num_workers),
        DataLoader(test, batch_size=test_batch_size, num_workers=num_workers),
    )


def _one_batch(spec: str, count: int, size: int, seed: int) -> TensorDataset:
    batch = data.load(spec, batch_size=count, seed=seed, image_size=size, augment=seed == 0)
    return TensorDataset(batch.images, batch.labels)


def _cifar(name: str, size: int, folder: Path, *, train: bool) -> Any:
    """The data set with the benchmarks' augmentation, as `wrcor_ext.data` has it, for training."""
    try:
        datasets = importlib.import_module("torchvision.datasets")
        transforms = importlib.import_module("torchvision.transforms")
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that was built for another torch
        raise InputError(f"data {name!r} needs a torchvision that fits the installed torch: {error}") from error
    class_name, statistics = _CIFAR[name]
    change = [transforms.RandomHorizontalFlip(), transforms.RandomCrop(size, padding=size // 8)] if train else []
    steps = [
        *([transforms.Resize(size)] if size != _DEFAULT_SIZE else []),
        *change,
        transforms.ToTensor(),
        transforms.Normalize(statistics.mean, statistics.std),
    ]
    try:
        return getattr(datasets, class_name)(folder, train=train, download=True, transform=transforms.Compose(steps))
    except (RuntimeError, OSError) as error:
        raise InputError(f"{folder} does not hold {name}, and it cannot be downloaded: {error}") from error
