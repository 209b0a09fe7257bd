"""What the network costs, as needs: nothing of it depends on the images' values."""

from __future__ import annotations

from dataclasses import dataclass

from wrcor_ext.cost import count
from wrcor_ext.needs import OwnPasses, Subject


@dataclass(frozen=True)
class ParameterCount(OwnPasses):
    """The number of parameters, frozen ones included, shared ones once: an `int`."""

    forwards = 0
    on = "the parameters"

    def measure(self, subject: Subject) -> int:
        """Counts."""
        return sum(parameter.numel() for parameter in subject.model.parameters())


@dataclass(frozen=True)
class MultiplyAdds(OwnPasses):
    """Multiply-adds of one image, as `wrcor_ext.cost.count` has them: an `int`."""

    forwards = 0
    on = "an image's shape"

    def measure(self, subject: Subject) -> int:
        """Counts, for an image of the batch's size.

        Raises:
            InputError: if the network cannot be counted.
        """
        return count(subject.model, tuple(subject.images.shape[1:]), subject.images.dtype).flops
