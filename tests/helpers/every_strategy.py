"""The names of all strategies, as they can be created."""

from __future__ import annotations

from wrcor_ext import strategies

# Of the samplers of Optuna the one that keeps most to itself.
EVERY_STRATEGY = tuple(name if strategies.get(name).argument is None else f"{name}:tpe" for name in strategies.names())
