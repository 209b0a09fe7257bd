"""What a forward pass holds at its fullest moment, from its operations alone: who reads what, and who makes what.

The rules, by which `Cost.memory` is defined:

- Operations run one after the other, in the order of the network's forward. An operation makes one tensor of its own
  while all that it reads is there; a tensor is given back after the last operation that reads it, what the forward
  returns not at all.
- An operation that maps each number of one tensor by itself (a batch-norm, an activation function, a product with a
  number) writes over that tensor, unless somebody reads it later. So a convolution with the batch-norm and activation
  behind it makes one tensor.
- Views (slices, flattened tensors) are the tensor that they look at.
- The input image is a tensor as well; weights are not, nor what a kernel may need while it works.

This is the memory that deployment on small devices is limited by (Lin et al., MCUNet, arXiv 2007.10319).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Size = TypeVar("Size")

BYTES = 4  # of a number in float32


@dataclass(frozen=True, slots=True)
class _Step:
    """One operation: the tensors it reads, the one it makes (if any), and whether it may write over what it reads."""

    reads: tuple[int, ...]
    made: int | None
    over: bool = False


class Steps(Generic[Size]):
    """Writes down the operations of a forward pass; tensors are numbered as they come.

    Sizes are whatever the caller adds up: numbers of elements, bytes, or names of either.
    """

    def __init__(self) -> None:
        self._sizes: list[Size] = []
        self._given: list[int] = []
        self._steps: list[_Step] = []

    def given(self, size: Size) -> int:
        """A tensor that is there before the first operation."""
        tensor = self._new(size)
        self._given.append(tensor)
        return tensor

    def make(self, size: Size, *reads: int) -> int:
        """The tensor of an operation that reads others."""
        tensor = self._new(size)
        self._steps.append(_Step(reads, tensor))
        return tensor

    def map(self, read: int) -> int:
        """The tensor of an operation that maps each number by itself."""
        tensor = self._new(self._sizes[read])
        self._steps.append(_Step((read,), tensor, over=True))
        return tensor

    def touch(self, *reads: int) -> None:
        """An operation that makes no tensor of its own: it changes one that is there."""
        self._steps.append(_Step(reads, None))

    def moments(self, *kept: int) -> list[list[Size]]:
        """The sizes of the tensors that are there during each operation.

        Args:
            kept: tensors that are still needed after the last operation.
        """
        last = {read: place for place, step in enumerate(self._steps) for read in step.reads}
        last.update(dict.fromkeys(kept, len(self._steps)))
        alive = set(self._given)
        found = []
        for place, step in enumerate(self._steps):
            done = {read for read in step.reads if last[read] == place}
            if step.over:
                alive -= done
            if step.made is not None:
                alive.add(step.made)
            found.append([self._sizes[tensor] for tensor in alive])
            alive -= done
            if step.made is not None and step.made not in last:
                alive.discard(step.made)  # nobody reads it
        return found

    def _new(self, size: Size) -> int:
        self._sizes.append(size)
        return len(self._sizes) - 1


def peak(steps: Steps[int], *kept: int) -> int:
    """The size of all tensors at the fullest moment; 0 if nothing is done."""
    return max(map(sum, steps.moments(*kept)), default=0)
