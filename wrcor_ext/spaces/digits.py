"""What the tabular spaces whose architectures are written as a few digits have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from itertools import product
from typing import TYPE_CHECKING, ClassVar

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.base import COUNTINGS, Cost, Counting, Limits, Space, draw_within, require_count
from wrcor_ext.spaces.encoding import Encoding, GridEncoding, Variable
from wrcor_ext.spaces.inverted_residual import Tally
from wrcor_ext.spaces.quoting import quoted

if TYPE_CHECKING:
    import numpy as np


class DigitSpace(Space[str]):
    """A space of all texts of `length` digits out of `digits`; the text itself is the architecture.

    A subclass says what the layers cost (`_count`), and has `key` and `build`.

    Args:
        num_classes: width of the classifier.
        image_size: side of the square images in pixels.

    Attributes:
        title: what messages call the space.
        digits: the allowed digits, in the order of `enumerate`.
        length: how many an architecture has.

    Raises:
        InputError: for an option out of range.
    """

    title: ClassVar[str]
    digits: ClassVar[str]
    length: ClassVar[int]

    def __init__(self, *, num_classes: int = 10, image_size: int = 32) -> None:
        require_count("num_classes", num_classes)
        require_count("image_size", image_size)
        self.default_num_classes = num_classes
        self.default_image_size = image_size

    def sample(self, rng: np.random.Generator, *, limits: Limits | None = None) -> str:
        """A random architecture, uniform over all or over those within the limits.

        Raises:
            InputError: if none within the limits was found.
        """

        def draw() -> str:
            return "".join(self.digits[i] for i in rng.integers(len(self.digits), size=self.length))

        return draw_within(draw, self._cost_for(limits), limits)

    def mutate(self, arch: str, rng: np.random.Generator, *, limits: Limits | None = None) -> str:
        """An architecture that differs in exactly one digit, uniform over all such or over those within the limits.

        Raises:
            InputError: if no neighbour is within the limits.
        """
        neighbours = self.neighbours(arch)
        if limits is not None:
            cost = self._cost_for(limits)
            neighbours = [other for other in neighbours if limits.admits(cost(other))]
            if not neighbours:
                raise InputError(f"no neighbour of {arch} keeps {limits}")
        return neighbours[rng.integers(len(neighbours))]

    def neighbours(self, arch: str) -> list[str]:
        """All architectures that differ in exactly one digit."""
        self._check(arch)
        return [
            arch[:i] + digit + arch[i + 1 :] for i in range(self.length) for digit in self.digits if digit != arch[i]
        ]

    def parse(self, text: str) -> str:
        """The text itself, checked.

        Raises:
            InputError: for anything but the right number of allowed digits; it names the first offending character
                and its position, counted from 1.
        """
        if not isinstance(text, str):
            raise InputError(f"a {self.title} architecture is a text, not {quoted(text)}")
        start = f"malformed {self.title} architecture {quoted(text)}"
        for position, character in enumerate(text[: self.length], start=1):
            if character not in self.digits:
                allowed = f"allowed are the digits {self.digits[0]} to {self.digits[-1]}"
                raise InputError(f"{start} at character {position}: {character!r} is not allowed, {allowed}")
        if len(text) != self.length:
            position = min(len(text), self.length) + 1
            raise InputError(f"{start} at character {position}: {len(text)} characters instead of {self.length}")
        return text

    def format(self, arch: str) -> str:
        """The architecture itself, checked."""
        self._check(arch)
        return arch

    def cost(
        self, arch: str, *, counting: Counting = "exact", num_classes: int | None = None, image_size: int | None = None
    ) -> Cost:
        """Multiply-adds of one image, trainable parameters, peak memory of its activations, layers.

        Args:
            arch: the architecture.
            counting: both are the same here: the published table counts convolutions and the classifier, too.
            num_classes: in place of the space's own.
            image_size: in place of the space's own.

        Raises:
            InputError: for a value that is no architecture, or an option out of range.
        """
        self._check(arch)
        if counting not in COUNTINGS:
            raise InputError(f"counting={counting!r} is not one of {', '.join(COUNTINGS)}")
        size = self.default_image_size if image_size is None else image_size
        require_count("image_size", size)
        return self._counted(arch, size, self._classes(num_classes), memory=True)

    def enumerate(self) -> Iterator[str]:
        """All architectures in the order of the published table, which is that of the digits."""
        return map("".join, product(self.digits, repeat=self.length))

    def encoding(self) -> Encoding[str]:
        """One variable for each digit, `digit_1` the first."""
        variables = [Variable(f"digit_{place}", tuple(self.digits)) for place in range(1, self.length + 1)]
        return GridEncoding(variables, self.format, "".join)

    @abstractmethod
    def _count(self, arch: str, tally: Tally, num_classes: int) -> None:
        """Enters all layers of a valid architecture into `tally`."""

    def _counted(self, arch: str, image_size: int, num_classes: int, *, memory: bool) -> Cost:
        tally = Tally(image_size)
        self._count(arch, tally, num_classes)
        return tally.cost(memory=memory)

    def _cost_for(self, limits: Limits | None) -> Callable[[str], Cost]:
        """What counts as much of valid architectures as `limits` ask for."""
        memory = limits is not None and limits.memory is not None
        return lambda arch: self._counted(arch, self.default_image_size, self.default_num_classes, memory=memory)

    def _classes(self, num_classes: int | None) -> int:
        if num_classes is None:
            return self.default_num_classes
        require_count("num_classes", num_classes)
        return num_classes

    def _check(self, arch: object) -> None:
        if not isinstance(arch, str) or len(arch) != self.length or not set(arch) <= set(self.digits):
            allowed = f"{self.length} digits from {self.digits[0]} to {self.digits[-1]}"
            raise InputError(f"{quoted(arch)} is not a {self.title} architecture: {allowed}")
