"""How a user's value appears in an error message."""

from __future__ import annotations

_LONGEST = 160


def quoted(value: object) -> str:
    """The value escaped, and cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
