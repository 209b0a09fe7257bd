"""What an option of a command is: its meaning, its allowed values, and how text and YAML become such a value.

Each option is defined once, as metadata of a dataclass field. The command line, its `--help`, YAML files and the
checks of values given from Python are all derived from that.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from wrcor_ext.errors import InputError

Role = Literal["result", "adjustable", "session"]


@dataclasses.dataclass(frozen=True)
class Kind:
    """A set of allowed values.

    Attributes:
        expected: the allowed values in words, for messages and help.
        check: from a YAML or Python value to the option's value; raises ValueError for any other.
        from_text: from one command line word to what YAML would give for it.
        many: whether the command line takes several words.
    """

    expected: str
    check: Callable[[object], Any]
    from_text: Callable[[str], object] = str
    many: bool = False


@dataclasses.dataclass(frozen=True)
class Option:
    """The metadata of one field.

    Attributes:
        help: one phrase for `--help`.
        kind: the allowed values.
        role: `"result"` decides the outcome of a trial or the order of trials: it cannot change within a run;
            `"adjustable"` is saved, and may be another when the run is resumed; `"session"` is not saved.
        aliases: further names on the command line.
        alone: the value that the flag stands for on the command line without a value; None if it needs one.
    """

    help: str
    kind: Kind
    role: Role = "result"
    aliases: tuple[str, ...] = ()
    alone: str | None = None


def option(
    default: object,
    text: str,
    kind: Kind,
    role: Role = "result",
    aliases: tuple[str, ...] = (),
    alone: str | None = None,
) -> Any:
    """A dataclass field with `Option` metadata."""
    return dataclasses.field(default=default, metadata={"option": Option(text, kind, role, aliases, alone)})


def options_of(cls: type) -> dict[str, Option]:
    """The options of a dataclass by field name: its own in order of definition, then the inherited ones."""
    # A redefined field keeps its inherited place among the fields of a dataclass.
    own = list(cls.__annotations__)
    fields = sorted(dataclasses.fields(cls), key=lambda f: own.index(f.name) if f.name in own else len(own))
    return {field.name: field.metadata["option"] for field in fields}


def flag(name: str) -> str:
    """The command line spelling of an option."""
    return "--" + name.replace("_", "-")


def checked(option: Option, value: object, where: str) -> Any:
    """`value` as the option's own type.

    Raises:
        InputError: if it is not allowed; the message begins with `where`.
    """
    try:
        return option.kind.check(value)
    except InputError as error:  # A check that knows more: near names, aliases.
        raise InputError(f"{where}: {error}") from error
    except ValueError:
        raise InputError(f"{where}: expected {option.kind.expected}, not {value!r}") from None


def word_read(option: Option, word: str) -> object:
    """A command line word as YAML would have it; a word that cannot be read stays text, for `checked` to refuse."""
    try:
        return option.kind.from_text(word)
    except ValueError:
        return word


def whole(minimum: int, maximum: int | None = None) -> Kind:
    """Whole numbers of at least `minimum`."""
    expected = f"a whole number of at least {minimum}"
    if maximum is not None:
        expected = f"a whole number from {minimum} to {maximum}"

    def check(value: object) -> int:
        # True is an int to Python, but nobody means the number 1 by it.
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise ValueError
        if maximum is not None and value > maximum:
            raise ValueError
        return value

    return Kind(expected, check, int)


def positive(unit: str | None = None) -> Kind:
    """Numbers above zero."""

    def check(value: object) -> float:
        number = _number(value)
        if not 0 < number < math.inf:  # written so that NaN fails
            raise ValueError
        return number

    return Kind("a positive number" if unit is None else f"a positive number of {unit}", check)


def share() -> Kind:
    """Numbers from zero to below one."""

    def check(value: object) -> float:
        number = _number(value)
        if not 0 <= number < 1:
            raise ValueError
        return number

    return Kind("a number of at least 0 and below 1", check)


def _number(value: object) -> float:
    """YAML takes 600e6 for a text, so text that is a number counts as one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError
    return float(value)


def optional(kind: Kind, meaning: str, words: Mapping[str, object] | None = None) -> Kind:
    """`kind`, or nothing (null in YAML), or one of further words; `meaning` says what nothing means."""
    extra = {"none": None, **(words or {})}

    def check(value: object) -> Any:
        if value is None:
            return None
        if isinstance(value, str) and value in extra:
            return extra[value]
        return kind.check(value)

    def from_text(word: str) -> object:
        return word if word in extra else kind.from_text(word)

    named = "".join(f", {word!r}" for word in words or ())
    return Kind(f"{kind.expected}{named} or 'none' ({meaning})", check, from_text)


def text(expected: str) -> Kind:
    """Text that is not empty."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise ValueError
        return value

    return Kind(expected, check)


def choice(names: tuple[str, ...], check_name: Callable[[str], str] | None = None, *, others: str = "") -> Kind:
    """One of `names`; `check_name` may accept aliases as well and offer near names.

    Args:
        names: for help and messages.
        check_name: from a given name to the option's value; one of `names` as it is if None.
        others: what `check_name` accepts besides, in words.
    """

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError
        if check_name is not None:
            return check_name(value)
        if value not in names:
            raise ValueError
        return value

    return Kind(f"one of {', '.join(names)}{f' or {others}' if others else ''}", check)


def choices(names: str, check_name: Callable[[str], str], *, none: str = "") -> Kind:
    """One or more names without repetition: a YAML list or a single name.

    Args:
        names: that are allowed, in words.
        check_name: from a given name to the option's value; accepts aliases and offers near names.
        none: what it means to give none at all, in words; nobody may where that is empty.
    """

    def check(value: object) -> tuple[str, ...]:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, (list, tuple)) or not (values or none):
            raise ValueError
        given: dict[str, str] = {}
        for item in values:
            if not isinstance(item, str):
                raise ValueError
            name = check_name(item)
            if name in given:
                same = f"{item!r} is given twice" if given[name] == item else f"{given[name]!r} and {item!r} are one"
                raise InputError(f"{same}; expected one or more different of {names}")
            given[name] = item
        return tuple(given)

    return Kind(f"one or more different of {names}{f', or none ({none})' if none else ''}", check, many=True)


def switch() -> Kind:
    """True or false; a pair of flags on the command line."""

    def check(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value

    return Kind("true or false", check)


def add_flags(
    parser: argparse.ArgumentParser, options: Mapping[str, Option], defaults: object, *, title: str | None = None
) -> None:
    """Gives `parser` a flag for each option.

    Args:
        parser: of the command.
        options: by name.
        defaults: a configuration, for the help texts.
        title: of the group that they form in `--help`; None for argparse's own.
    """
    group = parser if title is None else parser.add_argument_group(title)
    for name, entry in options.items():
        default = getattr(defaults, name)
        flags = [flag(spelling) for spelling in (name, *entry.aliases)]
        if isinstance(default, bool):
            text = f"{entry.help} (default: {'yes' if default else 'no'})"
            group.add_argument(*flags, dest=name, action=argparse.BooleanOptionalAction, help=text)
            continue
        shown = " ".join(default) or "none" if isinstance(default, tuple) else str(default).lower()
        group.add_argument(
            *flags,
            dest=name,
            nargs="+" if entry.kind.many else None if entry.alone is None else "?",
            const=entry.alone,
            metavar=name.upper(),
            help=f"{entry.help}: {entry.kind.expected} (default: {shown})".replace("%", "%%"),
        )


def from_words(options: Mapping[str, Option], words: Mapping[str, object]) -> dict[str, Any]:
    """The options that the command line gives, from argparse's words: text, a list of text, or a boolean.

    Raises:
        InputError: for a value that is not allowed; the message names the flag.
    """
    result = {}
    for name, given in words.items():
        entry = options[name]
        value = word_read(entry, given) if isinstance(given, str) else given
        result[name] = checked(entry, value, flag(name))
    return result
