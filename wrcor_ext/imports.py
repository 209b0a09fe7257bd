"""Objects of the user's own, named on a command line as `package.module:attribute`."""

from __future__ import annotations

import difflib
import importlib
import re

from wrcor_ext.errors import InputError, in_words

_NAME = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
_REFERENCE = re.compile(f"{_NAME}:{_NAME}")


def is_reference(text: str) -> bool:
    """Whether `text` has the form `package.module:attribute`; both sides may be dotted."""
    return _REFERENCE.fullmatch(text) is not None


def load(reference: str) -> object:
    """The object that `package.module:attribute` names. The module is imported, so its code runs.

    Raises:
        InputError: if it is no such reference, if the module is not found or cannot be imported, or if it has no such
            attribute; near names are offered.
    """
    if not is_reference(reference):
        raise InputError(f"{reference!r} does not have the form package.module:attribute")
    module_name, _, attributes = reference.partition(":")
    try:
        found: object = importlib.import_module(module_name)
    except Exception as error:  # the module is foreign code: its import may raise anything
        if isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}."):
            raise InputError(f"{reference!r}: there is no module {error.name!r}") from None
        raise InputError(f"{reference!r}: importing {module_name} failed with {in_words(error)}") from error
    where = module_name
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            near = difflib.get_close_matches(attribute, dir(found), n=3)
            hint = f", did you mean {' or '.join(near)}?" if near else ""
            raise InputError(f"{reference!r}: {where} has no attribute {attribute!r}{hint}")
        found = getattr(found, attribute)
        where = f"{where}.{attribute}"
    return found
