"""Per-channel normalisation: published constants, and the statistics of an array of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Images per step of `channel_statistics`: float64 copies stay small beside the file itself.
_BLOCK = 1024


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of the red, green and blue channel."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def scaled(self, factor: float) -> Statistics:
        """The statistics of the same images multiplied by `factor`."""
        red, green, blue = (value * factor for value in self.mean)
        spread_red, spread_green, spread_blue = (value * factor for value in self.std)
        return Statistics((red, green, blue), (spread_red, spread_green, spread_blue))


IDENTITY = Statistics((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

# The values of the NAS-Bench-201 training pipeline (Dong and Yang, ICLR 2020), given there in grey levels.
CIFAR10 = Statistics((125.3 / 255, 123.0 / 255, 113.9 / 255), (63.0 / 255, 62.1 / 255, 66.7 / 255))
CIFAR100 = Statistics((129.3 / 255, 124.1 / 255, 112.4 / 255), (68.2 / 255, 65.4 / 255, 70.4 / 255))

# The values that ImageNet models are customarily trained with (torchvision's reference training).
IMAGENET = Statistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def channel_statistics(images: npt.NDArray[np.generic], *, channel_axis: int) -> Statistics:
    """Population mean and standard deviation of each of the three channels, in float64.

    Args:
        images: [n, ...] of any real dtype with 3 channels on `channel_axis`.
        channel_axis: the axis of the channels, not 0.
    """
    axes = tuple(axis for axis in range(images.ndim) if axis != channel_axis)
    per_channel = images.size // 3
    blocks = range(0, len(images), _BLOCK)
    mean = sum(images[i : i + _BLOCK].sum(axis=axes, dtype=np.float64) for i in blocks) / per_channel
    shape = [1] * images.ndim
    shape[channel_axis] = 3
    squares = sum(np.square(images[i : i + _BLOCK] - mean.reshape(shape)).sum(axis=axes) for i in blocks)
    return Statistics(_triple(mean), _triple(np.sqrt(squares / per_channel)))


def _triple(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
