"""A probability distribution over the codes of an encoding that learns: one factor for each variable."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wrcor_ext.strategies.adam import Floats, floats
from wrcor_ext.strategies.subsets import SubsetFactor

if TYPE_CHECKING:
    from wrcor_ext.spaces import Codes, Encoding


class FactorisedPolicy:
    """Independent choices, one after the other in the order of the variables.

    A variable is drawn from the softmax of as many logits as it has choices; two choices are a Bernoulli variable. A
    variable whose choices are subsets has a logit for each item: items are drawn one by one without repetition, with
    probabilities in proportion to the exponentials of their logits. A variable without a meaning for the choices before
    it (`Encoding.active`) is not drawn, has code 0, and takes no part in probability and gradient.

    All logits start at 0: every choice of a variable has the same probability.

    Args:
        encoding: of a space; combinations that are no architecture have a probability as well.

    Attributes:
        logits: variable by variable [n] float64.
    """

    def __init__(self, encoding: Encoding[Any]) -> None:
        self._encoding = encoding
        variables = encoding.variables
        self._subsets = [SubsetFactor(variable.subsets) if variable.subsets else None for variable in variables]
        widths = [
            len(variable.choices) if factor is None else factor.items
            for variable, factor in zip(variables, self._subsets, strict=True)
        ]
        self._widths = np.array(widths)
        self._starts = np.concatenate([[0], np.cumsum(self._widths)[:-1]])
        self._slices = [slice(start, start + width) for start, width in zip(self._starts.tolist(), widths, strict=True)]
        # How many uniform numbers each variable is drawn from.
        self._draws = [1 if factor is None else factor.items for factor in self._subsets]
        self.restore([0.0] * sum(widths))

    def restore(self, logits: Sequence[float]) -> None:
        """Takes over saved logits [n].

        Raises:
            TypeError, ValueError: if they are not as many numbers as this policy has.
        """
        self._take(floats(logits, sum(self._widths)))

    def move(self, step: Floats) -> None:
        """Adds a step [n] to the logits."""
        self._take(self.logits + step)

    def _take(self, logits: Floats) -> None:
        self.logits = logits
        highest = np.maximum.reduceat(logits, self._starts)
        weights = np.exp(logits - np.repeat(highest, self._widths))
        # The softmax of each variable's logits [n]; of no meaning for subsets.
        self._probabilities: Floats = weights / np.repeat(np.add.reduceat(weights, self._starts), self._widths)
        # Made of them when it is drawn.
        self._borders: list[list[float]] | None = None

    def _running_sums(self) -> list[list[float]]:
        """Per variable the sums of the probabilities up to each choice but the last: there the next one begins."""
        if self._borders is None:
            self._borders = [self._probabilities[place].cumsum()[:-1].tolist() for place in self._slices]
        return self._borders

    def draw(self, rng: np.random.Generator) -> Codes:
        """Random codes; as many numbers are drawn from the generator in every call."""
        uniform = rng.random(sum(self._draws)).tolist()
        codes: list[int] = []
        position = 0
        borders = self._running_sums()
        for variable, (factor, count) in enumerate(zip(self._subsets, self._draws, strict=True)):
            numbers = uniform[position : position + count]
            position += count
            if not self._encoding.active(codes):
                codes.append(0)
            elif factor is None:
                codes.append(bisect(borders[variable], numbers[0]))
            else:
                codes.append(factor.draw(self.logits[self._slices[variable]], numbers))
        return tuple(codes)

    def gradient(self, codes: Codes) -> Floats:
        """The derivative of the logarithm of the probability that `draw` returns these codes, by the logits [n]."""
        found: Floats = np.zeros_like(self.logits)
        for variable, (factor, place, code) in enumerate(zip(self._subsets, self._slices, codes, strict=True)):
            if not self._encoding.active(codes[:variable]):
                continue
            if factor is None:
                found[place] = -self._probabilities[place]
                found[place.start + code] += 1
            else:
                found[place] = factor.gradient(self.logits[place], code)
        return found
