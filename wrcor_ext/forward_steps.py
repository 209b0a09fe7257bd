"""The operations of any forward, as they run: who reads what and who makes what, for `wrcor_ext.cost.count`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from wrcor_ext.spaces.liveness import BYTES, Steps, peak

_aten = torch.ops.aten

_CONVOLUTIONS = {_aten.convolution, _aten._convolution}
_PRODUCTS = {_aten.mm, _aten.addmm, _aten.bmm, _aten.baddbmm}

# What maps each number of a tensor by itself without torch's tag that says so.
_POINTWISE = {
    _aten.native_batch_norm,
    _aten._native_batch_norm_legit,
    _aten._native_batch_norm_legit_no_training,
    _aten._batch_norm_with_update,
    _aten.hardswish,
    _aten.log_sigmoid_forward,
    _aten._prelu_kernel,
}


@dataclass(frozen=True)
class _Operation:
    """Tensors by number: those read, those made with their bytes, and whether one could be written over the other."""

    reads: tuple[int, ...]
    made: dict[int, int]
    pointwise: bool


class ForwardSteps(TorchDispatchMode):
    """Watches the operators that a forward ends in.

    Tensors are told apart by their storage, so a view is the tensor that it looks at. What the forward was not given
    as its input, and did not make, is a weight.

    Args:
        image: the input.

    Attributes:
        layers: convolutions, and matrix products with a weight, so far.
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no types for it
        self.layers = 0
        self._numbers = {_storage(image): 0}
        self._image_bytes = _bytes(image)
        self._operations: list[_Operation] = []
        self._returned: tuple[int, ...] = ()

    def returns(self, result: object) -> None:
        """Hears what the forward returns: that is needed to the end."""
        self._returned = self._known(_tensors(result))

    @property
    def memory(self) -> int:
        """Peak bytes of activations in float32 of what has been seen; see `wrcor_ext.spaces.liveness`."""
        # An operator may return more than the forward asked for: the places of a pooling's maxima, for example.
        read = {*self._returned, *(number for operation in self._operations for number in operation.reads)}
        steps: Steps[int] = Steps()
        sizes = {0: self._image_bytes}
        known = {0: steps.given(self._image_bytes)}
        for operation in self._operations:
            reads = [known[number] for number in operation.reads]
            made = {n: size for place, (n, size) in enumerate(operation.made.items()) if place == 0 or n in read}
            if not made:
                steps.touch(*reads)
            elif operation.pointwise and [sizes[number] for number in operation.reads] == list(made.values()):
                known[next(iter(made))] = steps.map(reads[0])
            else:
                known.update({number: steps.make(size, *reads) for number, size in made.items()})
            sizes.update(made)
        return max(peak(steps, *(known[number] for number in self._returned)), self._image_bytes)

    def __torch_dispatch__(
        self,
        func: Any,  # an operator overload
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        operator = func.overloadpacket
        reads = self._known(_tensors((args, kwargs)))
        # The factors are the last two; before them, a bias.
        weighted = operator in _PRODUCTS and len(self._known(_tensors(args[-2:]))) < 2
        self.layers += operator in _CONVOLUTIONS or weighted
        made = self._made(args, kwargs, result)
        if made or func._schema.is_mutable:  # else a view, or nothing at all
            pointwise = operator in _POINTWISE or torch.Tag.pointwise in func.tags
            self._operations.append(_Operation(reads, made, pointwise))
        return result

    def _known(self, tensors: Sequence[Tensor]) -> tuple[int, ...]:
        """The numbers of those tensors that are no weights, each once."""
        found = (self._numbers.get(_storage(tensor)) for tensor in tensors)
        return tuple(dict.fromkeys(number for number in found if number is not None))

    def _made(self, args: object, kwargs: object, result: object) -> dict[int, int]:
        """Numbers and bytes of the new tensors among the results."""
        given = {_storage(tensor) for tensor in _tensors((args, kwargs))}
        made = {}
        for tensor in _tensors(result):
            storage = _storage(tensor)
            if storage not in given and storage not in self._numbers and tensor.numel():
                self._numbers[storage] = len(self._numbers)
                made[self._numbers[storage]] = _bytes(tensor)
        return made


def _tensors(values: object) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def _storage(tensor: Tensor) -> StorageWeakRef:
    """Equal for tensors that share their memory, and different from all that come later: its address is not reused."""
    return StorageWeakRef(tensor.untyped_storage())


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * (BYTES if tensor.is_floating_point() else tensor.element_size())
