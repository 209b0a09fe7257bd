"""The search command and what it is made of: configuration, study (run folder), evaluator and the loop."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrcor_ext.search.cli import main
    from wrcor_ext.search.config import SearchConfig
    from wrcor_ext.search.study import Study
    from wrcor_ext.search.trial import Evaluation, Trial

__all__ = ["Evaluation", "SearchConfig", "Study", "Trial", "main"]

_HOMES = {"Evaluation": "trial", "SearchConfig": "config", "Study": "study", "Trial": "trial", "main": "cli"}


def __getattr__(name: str) -> Any:
    """Imports what is asked for, only then: the entry point can answer Ctrl-C in the meantime."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
