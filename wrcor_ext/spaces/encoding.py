"""Architectures as independent choices: what policies, Bayesian samplers and genetic algorithms work on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.quoting import quoted

A = TypeVar("A", bound=Hashable)

# One number per variable: which of its choices.
Codes = tuple[int, ...]


@dataclass(frozen=True)
class Variable:
    """One choice that makes up an architecture.

    Attributes:
        name: unique within an encoding.
        choices: labels, the n-th of which has code n.
        subsets: where the choices are all sets of equally many of some items, the items of each choice, numbered from
            0: who learns can learn about the items. Empty otherwise.
    """

    name: str
    choices: tuple[str, ...]
    subsets: tuple[tuple[int, ...], ...] = ()


class Encoding(ABC, Generic[A]):
    """A space's architectures as tuples of codes, one for each variable.

    `decode(encode(arch)) == arch` for every architecture that the space can draw. Some combinations of codes may be no
    architecture, and some variables may have no meaning for what the ones before them say: such a variable is
    inactive, `encode` gives it code 0 and `decode` looks at no other.

    Attributes:
        variables: in the order of the codes.
    """

    variables: tuple[Variable, ...]

    @abstractmethod
    def encode(self, arch: A) -> Codes:
        """The codes of an architecture.

        Raises:
            InputError: for a value that is no architecture of the space, or one that the variables do not reach.
        """

    def decode(self, codes: Sequence[int]) -> A:
        """The architecture of a code for each variable; those of inactive variables do not count.

        Raises:
            InputError: for another number of codes, a code out of range, or a combination that is no architecture.
        """
        if len(codes) != len(self.variables):
            raise InputError(f"{quoted(codes)} are {len(codes)} codes: the space has {len(self.variables)} variables")
        for variable, code in zip(self.variables, codes, strict=True):
            if type(code) is not int or not 0 <= code < len(variable.choices):
                allowed = f"allowed are 0 to {len(variable.choices) - 1}"
                raise InputError(f"code {quoted(code)} of variable {variable.name!r}: {allowed}")
        return self._decode(codes)

    def active(self, prefix: Sequence[int]) -> bool:
        """Whether the variable that comes after the codes in `prefix` has a meaning."""
        return True

    @abstractmethod
    def _decode(self, codes: Sequence[int]) -> A:
        """What `decode` does with codes in range."""


class GridEncoding(Encoding[A]):
    """The encoding of a space that is all combinations of its variables' choices.

    Args:
        variables: of the space.
        labels: an architecture, checked, as one label for each variable.
        join: the inverse.
    """

    def __init__(
        self,
        variables: Sequence[Variable],
        labels: Callable[[A], Sequence[str]],
        join: Callable[[Iterator[str]], A],
    ) -> None:
        self.variables = tuple(variables)
        self._codes = [{label: code for code, label in enumerate(variable.choices)} for variable in self.variables]
        self._labels = labels
        self._join = join

    def encode(self, arch: A) -> Codes:
        """The codes of an architecture; an `InputError` for anything else."""
        return tuple(codes[label] for codes, label in zip(self._codes, self._labels(arch), strict=True))

    def _decode(self, codes: Sequence[int]) -> A:
        return self._join(variable.choices[code] for variable, code in zip(self.variables, codes, strict=True))


class CheckedEncoding(Encoding[A]):
    """Another encoding that refuses some architectures.

    Args:
        encoding: the other one.
        check: raises an `InputError` for an architecture that is refused.
    """

    def __init__(self, encoding: Encoding[A], check: Callable[[A], None]) -> None:
        self.variables = encoding.variables
        self._encoding = encoding
        self._check = check

    def encode(self, arch: A) -> Codes:
        """The codes of the other encoding, whether or not the architecture is refused."""
        return self._encoding.encode(arch)

    def active(self, prefix: Sequence[int]) -> bool:
        """As in the other encoding."""
        return self._encoding.active(prefix)

    def _decode(self, codes: Sequence[int]) -> A:
        arch = self._encoding.decode(codes)
        self._check(arch)
        return arch
