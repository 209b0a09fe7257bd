"""The table of strategies: what each is called and which options it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from wrcor_ext.errors import InputError, did_you_mean
from wrcor_ext.strategies.base import Strategy
from wrcor_ext.strategies.preference import Preference

if TYPE_CHECKING:
    from wrcor_ext.spaces import Space

S = TypeVar("S", bound=type[Strategy[Any]])


@dataclass(frozen=True)
class StrategyEntry:
    """One registry entry.

    Attributes:
        name: as given to `--strategy`.
        options: keyword arguments of `factory` besides `seed` and `preference`; the search options of the same names
            are passed on.
        factory: the class.
        paper: where it is described.
        summary: one line for listings.
        argument: keyword argument of `factory` that stands behind the name, as in `optuna:tpe`; None without any.
    """

    name: str
    options: tuple[str, ...]
    factory: type[Strategy[Any]]
    paper: str
    summary: str
    argument: str | None = None


_STRATEGIES: dict[str, StrategyEntry] = {}


def register(name: str, *, paper: str, options: tuple[str, ...] = (), argument: str | None = None) -> Callable[[S], S]:
    """Class decorator that enters a strategy; the first line of its docstring becomes the summary.

    Raises:
        ValueError: if the name is taken.
    """

    def enter(cls: S) -> S:
        if name in _STRATEGIES:
            raise ValueError(f"strategy name {name!r} is registered twice")
        cls.name = name
        summary = (cls.__doc__ or "").strip().split("\n")[0]
        _STRATEGIES[name] = StrategyEntry(name, options, cls, paper, summary, argument)
        return cls

    return enter


def names() -> tuple[str, ...]:
    """The names of all strategies, in order of registration."""
    return tuple(_STRATEGIES)


def get(name: str) -> StrategyEntry:
    """The entry called `name`; what stands behind a colon does not count.

    Raises:
        InputError: for an unknown name; the nearest ones are offered.
    """
    entry = _STRATEGIES.get(name.partition(":")[0])
    if entry is None:
        raise InputError(f"unknown strategy {name!r}: {did_you_mean(name, _STRATEGIES)}known are {', '.join(names())}")
    return entry


def checked_name(name: str) -> str:
    """`name` itself, if it names a strategy with the argument that it needs.

    Raises:
        InputError: if not.
    """
    entry = get(name)
    _, colon, argument = name.partition(":")
    if entry.argument is None and colon:
        raise InputError(f"strategy {entry.name} takes no {argument!r} behind its name")
    if entry.argument is not None and not argument:
        raise InputError(f"strategy {entry.name} needs a {entry.argument}: {entry.name}:{entry.argument.upper()}")
    return name


def create(
    name: str, space: Space[Any], *, seed: int, preference: Preference | None = None, **options: object
) -> Strategy[Any]:
    """A fresh strategy. Of `options`, those are passed on that the strategy takes; those of others change nothing.

    Args:
        name: of the strategy.
        space: what it draws from.
        seed: of its private generator.
        preference: which of several candidates is the best; the one of highest score if None.
        options: by name.

    Raises:
        InputError: for an unknown name, an option that no strategy takes, or one out of range.
    """
    entry = get(checked_name(name))
    known = sorted({option for other in _STRATEGIES.values() for option in other.options})
    for option in options:
        if option not in known:
            near = did_you_mean(option, known)
            raise InputError(f"no strategy takes an option {option!r}: {near}known are {', '.join(known)}")
    taken: dict[str, Any] = {key: options[key] for key in entry.options if key in options}
    if entry.argument is not None:
        taken[entry.argument] = name.partition(":")[2]
    return entry.factory(space, seed=seed, preference=preference, **taken)
