"""The values of options for people."""

from __future__ import annotations


def shown(value: object) -> str:
    """A value as the command line has it: words side by side, yes or no, and none for nothing."""
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
