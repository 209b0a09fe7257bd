"""What a missing piece of memory looks like, and what is said about it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wrcor_ext.errors import OutOfMemoryError, WrcorError


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory is missing, of a GPU or of the host."""
    if isinstance(error, WrcorError):
        return False
    # On a CPU torch raises a RuntimeError like any other.
    return out_of_gpu_memory(error) or isinstance(error, MemoryError) or "can't allocate memory" in str(error)


def out_of_gpu_memory(error: BaseException) -> bool:
    """Whether an exception says that memory of a GPU is missing."""
    # torch's allocator has an exception of its own; CUDA's libraries, which take memory for themselves, have words.
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in str(error) for words in ("_STATUS_ALLOC_FAILED", "CUDA error: out of memory")
    )


def shortage(model: nn.Module, images: Tensor, error: BaseException, undivided: str | None = None) -> OutOfMemoryError:
    """What the user is told where nothing has helped.

    Args:
        model: that does not fit.
        images: with these.
        error: what was raised.
        undivided: why the batch could not be worked through in parts, if that was the reason.
    """
    said = str(error).strip().split("\n")[0]
    parts = "" if undivided is None else f"; the score cannot be computed in micro-batches: {undivided}"
    return OutOfMemoryError(
        f"{type(model).__name__} with a batch of shape {tuple(images.shape)} does not fit into memory: give fewer "
        f"images, a tail, or amp='bfloat16' ({said}){parts}"
    )


def free() -> None:
    """Hands a GPU's unused memory back, so that other sizes can be cut from it."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
