"""Memory of the ops, all of which they have before they write anything."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def workspace(like: Tensor, size: int) -> Tensor:
    """`size` bytes on the device of `like`, from torch's allocator.

    Raises:
        torch.OutOfMemoryError: the device has no room; says how much was wanted.
    """
    return _allocated("the workspace", size, like, lambda: like.new_empty(size, dtype=torch.uint8))


def contiguous(tensor: Tensor, name: str) -> Tensor:
    """`tensor` itself, or a copy; `name` is that of what is copied, for the message.

    Raises:
        torch.OutOfMemoryError: the device has no room; says how much was wanted.
    """
    size = tensor.numel() * tensor.itemsize
    return _allocated(f"a contiguous copy of {name}", size, tensor, tensor.contiguous)


def _allocated(what: str, size: int, like: Tensor, allocate: Callable[[], Tensor]) -> Tensor:
    try:
        return allocate()
    except torch.OutOfMemoryError as error:
        raise torch.OutOfMemoryError(
            f"cannot allocate {size} bytes for {what} on {like.device}; nothing was written. torch says: {error}"
        ) from error
