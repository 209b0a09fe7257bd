"""Search strategies behind one ask/tell contract: one file and one registry entry per strategy."""

from __future__ import annotations

from wrcor_ext.strategies import evolution, exhaustive, local, nsga2, optuna_adapter, random, reinforce
from wrcor_ext.strategies.base import Strategy
from wrcor_ext.strategies.preference import Highest, Preference, Values
from wrcor_ext.strategies.registry import StrategyEntry, checked_name, create, get, names, register

__all__ = [
    "Highest",
    "Preference",
    "Strategy",
    "StrategyEntry",
    "Values",
    "checked_name",
    "create",
    "evolution",
    "exhaustive",
    "get",
    "local",
    "names",
    "nsga2",
    "optuna_adapter",
    "random",
    "register",
    "reinforce",
]
