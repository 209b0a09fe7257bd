"""The numbers of a range in random order, drawn one at a time from a range of any size."""

from __future__ import annotations

from collections.abc import Iterator

from numpy.random import PCG64


class Shuffle(Iterator[int]):
    """The numbers from 0 to `size` - 1, each once, every order equally likely.

    The shuffle of Fisher and Yates without its list: it remembers only numbers that have moved, at most one for each
    that was drawn, so that `size` costs nothing.

    Args:
        size: of the range.
        seed: decides the order.
        position: how many numbers were drawn already; they are drawn again here, a million in seconds.

    Attributes:
        seed: as given.
        position: how many numbers have been drawn.
    """

    def __init__(self, size: int, seed: int, position: int = 0) -> None:
        if not 0 <= position <= size:
            raise ValueError(f"position {position} in a range of {size}")
        self.seed = seed
        self.position = 0
        self._size = size
        # By name, and its raw output: what numpy makes of it may change from version to version.
        self._words = PCG64(seed)
        # Words of 64 bits for each number, so many that none is favoured by more than 2^-64 of its probability.
        self._count = max(2, -(-size.bit_length() // 64) + 1)
        # Number at a place, where it is not that of the place itself.
        self._moved: dict[int, int] = {}
        # Many words at a time: the same as one by one, but faster.
        for start in range(0, position, 1024):
            words = self._words.random_raw(self._count * min(1024, position - start)).tolist()
            for first in range(0, len(words), self._count):
                self._take(words[first : first + self._count])

    def __next__(self) -> int:
        if self.position == self._size:
            raise StopIteration
        return self._take(self._words.random_raw(self._count).tolist())

    def _take(self, words: list[int]) -> int:
        """Draws one of those left by random words, the highest first."""
        random = 0
        for word in words:
            random = random << 64 | word
        place = self.position + (random * (self._size - self.position) >> 64 * len(words))
        drawn = self._moved.get(place, place)
        # The first of those left takes the place of the one drawn; nobody will look at its own place again.
        first = self._moved.pop(self.position, self.position)
        if place != self.position:
            self._moved[place] = first
        self.position += 1
        return drawn
