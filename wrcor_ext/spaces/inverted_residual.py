"""FLOPs and parameters of networks made of convolutions with batch-norm and inverted residuals, layer by layer.

Convolutions and linear layers count, batch-norms have parameters but no FLOPs. The unit is the multiply-add of one
image.
"""

from __future__ import annotations


class Tally:
    """Adds up the layers of a network, each of which gets the output of the one before.

    Attributes:
        flops: multiply-adds so far.
        params: trainable parameters so far.
        size: side in pixels of what the next layer gets.
    """

    def __init__(self, image_size: int) -> None:
        self.flops = 0
        self.params = 0
        self.size = image_size

    def convolution(self, kernel: int, in_width: int, out_width: int, *, stride: int = 1, groups: int = 1) -> None:
        """A convolution without bias, padded by half its kernel, and batch-norm."""
        self.size = -(-self.size // stride)
        weights = kernel * kernel * in_width // groups * out_width
        self.flops += weights * self.size * self.size
        self.params += weights + 2 * out_width

    def inverted_residual(self, in_width: int, inner_width: int, out_width: int, *, kernel: int, stride: int) -> None:
        """The three convolutions of an inverted residual; a shortcut costs nothing."""
        self.convolution(1, in_width, inner_width)
        self.convolution(kernel, inner_width, inner_width, stride=stride, groups=inner_width)
        self.convolution(1, inner_width, out_width)

    def linear(self, in_width: int, out_width: int) -> None:
        """A linear layer with bias, after global pooling."""
        self.flops += in_width * out_width
        self.params += (in_width + 1) * out_width
