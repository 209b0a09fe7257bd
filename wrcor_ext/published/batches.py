"""One batch out of a data loader, as the published code picks it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from wrcor_ext.errors import InputError

DataInfo = tuple[str, int, int]
Batches = Iterable[tuple[Tensor, Tensor]]
DATALOADS = ("random", "grasp")


def batch_of(dataloader: Batches, info: DataInfo, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """The batch that (dataload, number, classes) describes; see `wrcor_ext.published.measures.find_measures`.

    Returns:
        Images [N, ...] and labels [N] on the device.

    Raises:
        InputError: for another description, or a loader that does not have so much.
    """
    try:
        dataload, number, classes = info
    except (TypeError, ValueError):
        raise InputError(f"dataload_info={info!r} is not (dataload, number, classes)") from None
    if dataload == "random":
        return some_batches(dataloader, number, device)
    if dataload == "grasp":
        return some_of_each_class(dataloader, classes, number, device)
    raise InputError(f"unknown dataload {dataload!r}: allowed are {' and '.join(map(repr, DATALOADS))}")


def some_batches(dataloader: Batches, num_batches: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """The first `num_batches` batches as one; a loader that ends earlier is begun again.

    Raises:
        InputError: for an empty loader, or no batch asked for.
    """
    if num_batches < 1:
        raise InputError(f"num_batches={num_batches} takes no image: at least 1")
    batches = [batch for _, batch in zip(range(num_batches), _endless(dataloader), strict=False)]
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return images.to(device), labels.to(device)


def some_of_each_class(
    dataloader: Batches, num_classes: int, samples_per_class: int, device: torch.device | str
) -> tuple[Tensor, Tensor]:
    """The first `samples_per_class` images of each class from 0 to `num_classes` - 1, class by class.

    Raises:
        InputError: if the loader does not have so many of a class.
    """
    images: list[list[Tensor]] = [[] for _ in range(num_classes)]
    missing = num_classes * samples_per_class
    for batch, labels in dataloader:
        for image, label in zip(batch, labels.tolist(), strict=True):
            if label < num_classes and len(images[label]) < samples_per_class:
                images[label].append(image)
                missing -= 1
        if not missing:
            break
    if missing or num_classes * samples_per_class < 1:
        raise InputError(f"the data loader does not have {samples_per_class} images of each of {num_classes} classes")
    chosen = torch.stack([image for of_class in images for image in of_class])
    return chosen.to(device), torch.arange(num_classes, device=device).repeat_interleave(samples_per_class)


def _endless(dataloader: Batches) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        empty = True
        for images, labels in dataloader:
            empty = False
            yield images, labels
        if empty:
            raise InputError("the data loader has no batch")
