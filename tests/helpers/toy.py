"""A search space and an evaluator that need no network: what is tested with them is the search itself."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from torch import nn

from wrcor_ext.errors import InputError
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.spaces import Cost, GridEncoding, Space, Variable
from wrcor_ext.spaces.base import draw_within

Digits = tuple[int, ...]


class ToySpace(Space[Digits]):
    """Four digits from 0 to 4, written "1-0-4-2"; their order makes no difference to the key."""

    name = "toy"
    size = 5**4
    default_num_classes = 10
    default_image_size = 8

    def sample(self, rng, *, limits=None):
        return draw_within(lambda: tuple(int(digit) for digit in rng.integers(5, size=4)), self.cost, limits)

    def mutate(self, arch, rng, *, limits=None):
        def draw():
            place, step = int(rng.integers(4)), int(rng.integers(1, 5))
            return (*arch[:place], (arch[place] + step) % 5, *arch[place + 1 :])

        return draw_within(draw, self.cost, limits)

    def neighbours(self, arch):
        return [(*arch[:i], digit, *arch[i + 1 :]) for i in range(4) for digit in range(5) if digit != arch[i]]

    def parse(self, text):
        digits = tuple(int(part) for part in text.split("-"))
        if len(digits) != 4:
            raise InputError(f"{text!r} is not four digits")
        return digits

    def format(self, arch):
        return "-".join(map(str, arch))

    def key(self, arch):
        return self.format(sorted(arch))

    def cost(self, arch, *, counting="exact", num_classes=10, image_size=None):
        return Cost(flops=1000 + 100 * arch[0] + arch[3], params=10 + sum(arch))

    def build(self, arch, *, num_classes=10, seed=None) -> nn.Module:
        raise NotImplementedError("the toy evaluator needs no network")

    def enumerate(self) -> Iterator[Digits]:
        return product(range(5), repeat=4)

    def encoding(self):
        variables = [Variable(f"digit_{place}", tuple("01234")) for place in range(4)]
        return GridEncoding(
            variables, lambda arch: [str(digit) for digit in arch], lambda labels: tuple(map(int, labels))
        )


class EndlessToySpace(ToySpace):
    """The same, but too large to number its architectures, and to list neighbours."""

    size = None

    def neighbours(self, arch):
        return None

    def enumerate(self):
        raise InputError("the space is too large")


class ToyEvaluator:
    """Scores by a fixed formula and remembers what it was asked; the sums 3 and 12 have no score.

    Args:
        interrupt_at: raises KeyboardInterrupt on the call of this number (from 0).
    """

    def __init__(self, interrupt_at: int | None = None) -> None:
        self.calls: list[Digits] = []
        self._interrupt_at = interrupt_at

    def cost(self, arch: Digits) -> Cost:
        return ToySpace().cost(arch)

    def evaluate(self, arch: Digits) -> Evaluation:
        if len(self.calls) == self._interrupt_at:
            raise KeyboardInterrupt
        self.calls.append(arch)
        seconds = float(np.random.default_rng().random())  # never the same twice, as with a real clock
        if sum(arch) in (3, 12):
            return Evaluation("degenerate", {"wrcor": None, "naswot": 1.0}, seconds, "wrcor degenerate: toy")
        value = sum(digit**2 / 7 for digit in sorted(arch)) + min(arch)
        return Evaluation("ok", {"wrcor": value, "naswot": -value}, seconds)
