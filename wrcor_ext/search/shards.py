"""One of N parts of a search, for job arrays: which trials are its own, without anybody who hands them out."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from wrcor_ext.options import Kind

# More than any scheduler takes in one array of jobs.
MAX_SHARDS = 10**6


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count`, as `--shard` has it: the first is 1/N.

    Attributes:
        number: from 1.
        count: how many there are.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that a text such as `2/8` stands for.

        Raises:
            ValueError: for any other text.
        """
        match = re.fullmatch(r"(\d{1,7})/(\d{1,7})", text, re.ASCII)
        if match is None:
            raise ValueError(text)
        number, count = int(match[1]), int(match[2])
        if not 1 <= number <= count <= MAX_SHARDS:
            raise ValueError(text)
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def share(self, total: int) -> int:
        """How many of the trials 0, ..., `total` - 1 are this shard's: those with number modulo N = I - 1."""
        return max(0, -(-(total - self.number + 1) // self.count))

    def number_of(self, own: int) -> int:
        """The number in the whole search of the trial that has the number `own` in this shard."""
        return own * self.count + self.number - 1

    def seed(self, seed: int) -> int:
        """A seed for the strategy of this shard, independent of the other shards' and of the whole search's."""
        sequence = np.random.SeedSequence(seed, spawn_key=(self.number - 1,))
        return int(sequence.generate_state(1, np.uint64)[0]) >> 1  # seeds are below 2^63


def kind() -> Kind:
    """Shards as an option: text, since they are one in YAML and in the record of a run."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError
        return str(Shard.parse(value))

    return Kind("I/N with I from 1 to N, such as 2/8,", check)
