"""What networks made of convolutions with batch-norm and inverted residuals cost, layer by layer.

Convolutions and linear layers count, batch-norms have parameters but no FLOPs. The unit is the multiply-add of one
image.
"""

from __future__ import annotations

from wrcor_ext.spaces.base import Cost
from wrcor_ext.spaces.liveness import BYTES, Steps, peak


class Tally:
    """Adds up the layers of a network, each of which gets the output of the one before.

    Args:
        image_size: side in pixels of the network's input, three channels.
    """

    def __init__(self, image_size: int) -> None:
        self._flops = 0
        self._params = 0
        self._layers = 0
        self._size = image_size
        self._steps: Steps[int] = Steps()
        self._output = self._steps.given(3 * image_size * image_size)

    def cost(self, *, memory: bool) -> Cost:
        """Of all layers so far; without `memory`, which takes longer than the rest, that is None."""
        held = BYTES * peak(self._steps) if memory else None
        return Cost(self._flops, self._params, held, self._layers)

    def convolution(self, kernel: int, in_width: int, out_width: int, *, stride: int = 1, groups: int = 1) -> None:
        """A convolution without bias, padded by half its kernel, and batch-norm, perhaps an activation."""
        self._size = -(-self._size // stride)
        pixels = self._size * self._size
        weights = kernel * kernel * in_width // groups * out_width
        self._flops += weights * pixels
        self._params += weights + 2 * out_width
        self._layers += 1
        self._output = self._steps.make(out_width * pixels, self._output)

    def inverted_residual(self, in_width: int, inner_width: int, out_width: int, *, kernel: int, stride: int) -> None:
        """The three convolutions of an inverted residual, and a sum where it has a shortcut."""
        before = self._output
        self.convolution(1, in_width, inner_width)
        self.convolution(kernel, inner_width, inner_width, stride=stride, groups=inner_width)
        self.convolution(1, inner_width, out_width)
        if stride == 1 and in_width == out_width:
            self._output = self._steps.make(out_width * self._size * self._size, before, self._output)

    def linear(self, in_width: int, out_width: int) -> None:
        """Global pooling, and a linear layer with bias."""
        self._flops += in_width * out_width
        self._params += (in_width + 1) * out_width
        self._layers += 1
        self._output = self._steps.make(out_width, self._steps.make(in_width, self._output))
