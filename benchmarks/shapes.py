"""The responses that networks of the three search spaces really hand over, as the recorder sees them.

    python benchmarks/shapes.py --samples 20

Networks are drawn from each space, and one forward and backward of each is recorded on torch's `meta` device, which
knows shapes and computes nothing. What is counted is every response of rule "activations": activations and gradients.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from wrcor_ext import spaces
from wrcor_ext.recorder import Recorder

# Side of the images that each space's published network is made for.
IMAGE_SIZES = {"nasbench101": 32, "nasbench201": 32, "mobilenetv2": 224}
CLASSES = 10
BATCH = 64


@dataclass
class ShapeCount:
    """A recorder's sink: how often each shape of a response came.

    Attributes:
        shapes: number of responses by shape, without the first dimension (the images).
    """

    shapes: Counter[tuple[int, ...]]

    def activation(self, level: int, response: Tensor, *, overwritten: bool = False) -> None:
        """Counts an activation response."""
        self.shapes[tuple(response.shape[1:])] += 1

    def gradient(self, level: int, response: Tensor) -> None:
        """Counts a gradient response."""
        self.shapes[tuple(response.shape[1:])] += 1


def shapes_of(model: nn.Module, image_size: int, batch: int = BATCH) -> Counter[tuple[int, ...]]:
    """Number of responses of a network by shape [...] of one image's response. The model is moved to `meta`."""
    model = model.to("meta").train().requires_grad_(False)
    images = torch.empty(batch, 3, image_size, image_size, device="meta")
    count = ShapeCount(Counter())
    recorder = Recorder(model, count)
    with recorder:
        output = model(images)
    recorder.backward(F.cross_entropy(output, torch.zeros(batch, dtype=torch.int64, device="meta")))
    return count.shapes


def features_of_space(name: str, samples: int, seed: int = 0) -> Counter[int]:
    """Number of responses of `samples` networks of a space by D, the number of features of one image's response."""
    space, rng = spaces.get(name), np.random.default_rng(seed)
    counted: Counter[int] = Counter()
    for number in range(samples):
        arch = space.sample(rng)
        with torch.device("meta"):  # weights take time, and shapes do not depend on them
            model = space.build(arch, num_classes=CLASSES, seed=number)
        for shape, count in shapes_of(model, IMAGE_SIZES[name]).items():
            counted[math.prod(shape)] += count
    return counted


def representative(counted: Counter[int], largest: int) -> list[int]:
    """At most four sizes D, in order, that stand for all up to `largest`.

    The smallest, the largest, the most frequent, and the one that half of all features lie up to.
    """
    within = {size: count for size, count in sorted(counted.items()) if size <= largest}
    if len(within) <= 4:
        return list(within)
    half, below, middle = sum(size * count for size, count in within.items()) / 2, 0, 0
    for size, count in within.items():
        if below < half:
            middle = size
        below += size * count
    return sorted({min(within), max(within), max(within, key=within.__getitem__), middle})


def main() -> None:
    """Prints the sizes of each space and how often they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4, help="networks of each space (default 4)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for name in IMAGE_SIZES:
        counted = features_of_space(name, args.samples, args.seed)
        table = Table(title=f"{name}: responses of {args.samples} networks", title_justify="left", box=None)
        for column in ("D", "responses a network"):
            table.add_column(column, justify="right")
        for size, count in sorted(counted.items()):
            table.add_row(f"{size:,}", f"{count / args.samples:.1f}")
        Console().print(table)


if __name__ == "__main__":
    main()
