"""Single words of the subcommands as values."""

from __future__ import annotations

from typing import Any

from wrcor_ext.options import Kind, Option, checked, word_read


def number(flag: str, word: str, kind: Kind) -> Any:
    """The value of a word.

    Raises:
        InputError: if it is not allowed; the message begins with `flag`.
    """
    option = Option("", kind)
    return checked(option, word_read(option, word), flag)
