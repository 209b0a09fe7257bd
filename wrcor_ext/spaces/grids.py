"""The values of a parameter grid, and how they are written: as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.quoting import quoted

Value = None | bool | int | float | str | tuple["Value", ...]

_MOST_LISTED = 12


def axis_of(name: str, values: Iterable[object]) -> dict[str, Value]:
    """The values of parameter `name` by their JSON text, in order; lists become tuples.

    Raises:
        InputError: for no values, equal ones, and such as JSON cannot write.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(f"the grid's {name!r} is {quoted(values)}: a list of values is needed")
    frozen = [_frozen(name, value) for value in values]
    if not frozen:
        raise InputError(f"the grid's {name!r} has no values")
    if len(set(frozen)) < len(frozen):
        raise InputError(f"the grid's {name!r} holds a value twice: {quoted(frozen)}")
    return {json_text(value): value for value in frozen}


def listed(texts: Collection[str]) -> str:
    """The texts of allowed values for a message; of many, the first and the last."""
    shown = list(texts)
    if len(shown) > _MOST_LISTED:
        shown = [*shown[: _MOST_LISTED - 1], "...", shown[-1]]
    return ", ".join(shown)


def json_text(value: object) -> str:
    """`value` as JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


def read_object(text: str) -> dict[str, object]:
    """A JSON object.

    Raises:
        InputError: for anything else, and for a name that comes twice.
    """
    start = f"architecture {quoted(text)}"

    def without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in pairs:
            if name in found:
                raise InputError(f"{start} names {quoted(name)} twice")
            found[name] = value
        return found

    try:
        found = json.loads(text, object_pairs_hook=without_repetition)
    except InputError:
        raise
    except json.JSONDecodeError as error:
        raise InputError(f"{start} is not JSON at character {error.pos + 1}: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, thousands of brackets
        raise InputError(f"{start} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f'{start} is not a JSON object such as {{"width": 16}}')
    return found


def _frozen(name: str, value: object) -> Value:
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(name, item) for item in value)
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise InputError(f"the grid's {name!r} holds {quoted(value)}: allowed are what JSON can write")
