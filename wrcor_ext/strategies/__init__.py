"""Search strategies behind one ask/tell contract: one file and one registry entry per strategy."""

from __future__ import annotations

from wrcor_ext.strategies import evolution, random, reinforce
from wrcor_ext.strategies.base import Strategy
from wrcor_ext.strategies.preference import Highest, Preference, Values
from wrcor_ext.strategies.registry import StrategyEntry, create, get, names, register

__all__ = [
    "Highest",
    "Preference",
    "Strategy",
    "StrategyEntry",
    "Values",
    "create",
    "evolution",
    "get",
    "names",
    "random",
    "register",
    "reinforce",
]
