"""Tells whether two tensors are the same values in the same memory."""

from __future__ import annotations

from torch import Tensor


def identity(tensor: Tensor) -> tuple[object, ...]:
    """What two tensors share only if they are the same values in the same memory, while that memory lives."""
    return (
        tensor.untyped_storage()._cdata,
        tensor.storage_offset(),
        tuple(tensor.shape),
        tensor.stride(),
        tensor.dtype,
        object() if tensor.is_inference() else tensor._version,
    )
