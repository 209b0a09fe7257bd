"""Exceptions that the library raises on purpose. Every message is one sentence that names the offending value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class WrcorError(Exception):
    """Base class: catch it to handle everything that `wrcor_ext` reports. Command lines turn it into exit code 2."""


class InputError(WrcorError, ValueError):
    """The caller's input cannot be used: an unknown name, a malformed architecture, a batch of one image."""


class LabelError(InputError):
    """A label that the model has no class for: no proxy can use the batch, whichever of them notices."""


class BackendError(WrcorError, RuntimeError):
    """A compiled backend was demanded (`WRCOR_EXT_REQUIRE`) or configured and is not there."""


class NotApplicableError(WrcorError):
    """A proxy's definition makes no sense for this network or batch."""


class OutOfMemoryError(WrcorError, MemoryError):
    """A network and its batch do not fit into the memory of their device."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """For the message about an unknown name: `did you mean a or b? ` with the nearest known ones, or nothing."""
    near = difflib.get_close_matches(str(name), list(known), n=3)
    return f"did you mean {' or '.join(near)}? " if near else ""


def in_words(error: BaseException) -> str:
    """An exception of foreign code as one line for a message: its type and what it says."""
    return " ".join(f"{type(error).__name__}: {error}".split())
