"""The table of strategies."""

from __future__ import annotations

import pytest
from helpers.toy import ToySpace

from wrcor_ext import strategies
from wrcor_ext.errors import InputError
from wrcor_ext.strategies.random import RandomSearch


def test_the_strategies_of_the_command_are_there():
    assert set(strategies.names()) >= {"random", "evolution", "exhaustive", "local", "reinforce", "nsga2", "optuna"}


def test_an_unknown_name_gets_near_ones():
    with pytest.raises(InputError, match=r"'evolutoin'.*did you mean evolution.*random"):
        strategies.create("evolutoin", ToySpace(), seed=0)


def test_a_name_cannot_be_taken_twice():
    with pytest.raises(ValueError, match="'random' is registered twice"):
        strategies.register("random", paper="none")(RandomSearch)
    assert strategies.get("random").factory is RandomSearch


def test_options_of_other_strategies_are_not_passed_on():
    assert strategies.create("random", ToySpace(), seed=0, population_size=3).ask(1)


def test_an_option_that_no_strategy_takes_gets_near_ones():
    with pytest.raises(InputError, match=r"no strategy takes an option 'populaton_size': did you mean population_size"):
        strategies.create("evolution", ToySpace(), seed=0, populaton_size=3)
