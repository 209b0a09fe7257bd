"""The table of search spaces: what each is called, and how to get one; the user's own are named by their module."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from wrcor_ext import imports
from wrcor_ext.errors import InputError, did_you_mean, in_words
from wrcor_ext.spaces.base import Space
from wrcor_ext.spaces.quoting import quoted

S = TypeVar("S", bound=type[Space[Any]])


@dataclass(frozen=True)
class SpaceEntry:
    """One registry entry.

    Attributes:
        name: as given to `--space`.
        factory: the class, or what else makes the space.
        options: keyword arguments that `factory` takes.
        paper: where the space is defined; empty for the user's own.
        summary: one line for listings.
        version: of its networks and their initial weights; raised when they change, as scores do with them.
    """

    name: str
    factory: Callable[..., Space[Any]]
    options: tuple[str, ...]
    paper: str
    summary: str
    version: int = 1


_SPACES: dict[str, SpaceEntry] = {}


def register(name: str, *, paper: str, version: int = 1) -> Callable[[S], S]:
    """Class decorator that enters a space; the first line of its docstring becomes the summary.

    Raises:
        ValueError: if the name is taken.
    """

    def enter(cls: S) -> S:
        if name in _SPACES:
            raise ValueError(f"space name {name!r} is registered twice")
        cls.name = name
        summary = _summary(cls)
        _SPACES[name] = SpaceEntry(name, cls, tuple(inspect.signature(cls).parameters), paper, summary, version)
        return cls

    return enter


def names() -> tuple[str, ...]:
    """The names of all spaces, in order of registration."""
    return tuple(_SPACES)


def entry(name: str) -> SpaceEntry:
    """The registry entry called `name`, or one for the user's own space `package.module:attribute`.

    The attribute is a `Space`, or a function or class that returns one; its keyword arguments are the options.

    Raises:
        InputError: for an unknown name, the nearest ones are offered; for a reference that leads nowhere.
    """
    if imports.is_reference(str(name)):
        return _own(name)
    if name not in _SPACES:
        raise InputError(
            f"unknown space {name!r}: {did_you_mean(name, _SPACES)}known are {', '.join(names())} "
            "and your own as package.module:attribute"
        )
    return _SPACES[name]


def get(name: str, **options: object) -> Space[Any]:
    """The space called `name`, made with its options, for example `get("nasbench201", stem_width=8)`.

    `get("package.module:attribute")` is a space of the user's own; see `entry`.

    Raises:
        InputError: for an unknown name, an unknown option or an option out of range.
    """
    found = entry(name)
    for option in options:
        if option not in found.options:
            raise InputError(f"space {name!r} has no option {option!r}: it takes {', '.join(found.options) or 'none'}")
    return found.factory(**options)


def _own(reference: str) -> SpaceEntry:
    found = imports.load(reference)
    if isinstance(found, Space):
        return SpaceEntry(reference, lambda: found, (), "", _summary(type(found)))
    if not callable(found):
        raise InputError(f"{reference!r} is {quoted(found)}, neither a Space nor a function that returns one")

    def make(**options: object) -> Space[Any]:
        try:
            space = found(**options)
        except InputError:
            raise
        except Exception as error:  # foreign code: whatever it raises, it made no space
            raise InputError(f"space {reference!r} cannot be made: {in_words(error)}") from error
        if not isinstance(space, Space):
            raise InputError(f"{reference!r} returned {quoted(space)}, not a Space")
        return space

    by_keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    options = tuple(p.name for p in inspect.signature(found).parameters.values() if p.kind in by_keyword)
    return SpaceEntry(reference, make, options, "", _summary(found))


def _summary(documented: object) -> str:
    return (inspect.getdoc(documented) or "").split("\n")[0]
