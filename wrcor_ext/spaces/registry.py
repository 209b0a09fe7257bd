"""The table of search spaces: what each is called, and how to get one."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.base import Space

S = TypeVar("S", bound=type[Space[Any]])


@dataclass(frozen=True)
class SpaceEntry:
    """One registry entry.

    Attributes:
        name: as given to `--space`.
        factory: the class.
        options: keyword arguments that `factory` takes.
        paper: where the space is defined.
        summary: one line for listings.
    """

    name: str
    factory: type[Space[Any]]
    options: tuple[str, ...]
    paper: str
    summary: str


_SPACES: dict[str, SpaceEntry] = {}


def register(name: str, *, paper: str) -> Callable[[S], S]:
    """Class decorator that enters a space; the first line of its docstring becomes the summary.

    Raises:
        ValueError: if the name is taken.
    """

    def enter(cls: S) -> S:
        if name in _SPACES:
            raise ValueError(f"space name {name!r} is registered twice")
        cls.name = name
        summary = (cls.__doc__ or "").strip().split("\n")[0]
        _SPACES[name] = SpaceEntry(name, cls, tuple(inspect.signature(cls).parameters), paper, summary)
        return cls

    return enter


def names() -> tuple[str, ...]:
    """The names of all spaces, in order of registration."""
    return tuple(_SPACES)


def entry(name: str) -> SpaceEntry:
    """The registry entry called `name`.

    Raises:
        InputError: for an unknown name; the nearest ones are offered.
    """
    if name not in _SPACES:
        near = difflib.get_close_matches(str(name), _SPACES, n=3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise InputError(f"unknown space {name!r}: {hint}known are {', '.join(names())}")
    return _SPACES[name]


def get(name: str, **options: object) -> Space[Any]:
    """The space called `name`, made with its options, for example `get("nasbench201", stem_width=8)`.

    Raises:
        InputError: for an unknown name, an unknown option or an option out of range.
    """
    found = entry(name)
    for option in options:
        if option not in found.options:
            raise InputError(f"space {name!r} has no option {option!r}: it takes {', '.join(found.options) or 'none'}")
    return found.factory(**options)
