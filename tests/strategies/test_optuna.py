"""Strategies that hand the choice to a sampler of Optuna."""

from __future__ import annotations

import json
import logging

import numpy as np
import optuna
import pytest
from helpers.toy import ToySpace

from wrcor_ext import spaces, strategies
from wrcor_ext.errors import InputError
from wrcor_ext.limited_space import LimitedSpace
from wrcor_ext.spaces import Limits
from wrcor_ext.strategies import optuna_adapter


class Two:
    """A preference of two values."""

    width = 2


class Constant(optuna.samplers.RandomSampler):
    """A sampler of the user's own, that always suggests the same."""

    def sample_independent(self, study, trial, param_name, param_distribution):
        return 1


def needs_no_seed():
    return optuna.samplers.RandomSampler()


def no_sampler(seed):
    return seed


def searched(name, space, value, groups=25, group=8, **options):
    strategy = strategies.create(name, space, seed=0, **options)
    asked = []
    for _ in range(groups):
        archs = strategy.ask(group)
        strategy.tell([(arch, value(arch)) for arch in archs])
        asked += archs
    return asked


@pytest.mark.parametrize("name", ["optuna:tpe", "optuna:nsgaii", "nsga2"])
def test_a_sampler_learns_what_scores_well(name):
    space = spaces.get("nasbench201")

    def value(arch):
        return float(space.cost(arch).params)

    options = {"population_size": 16} if name == "nsga2" else {}
    learned = np.mean([value(arch) for arch in searched(name, space, value, **options)[-40:]])
    drawn = np.mean([value(arch) for arch in searched("optuna:random", space, value)[-40:]])
    assert learned > 1.5 * drawn


def test_nsga2_finds_more_of_a_front_than_chance():
    """The sums of the first two and of the last two digits, where all four make 13 at most: a front of four points."""
    space = ToySpace()

    def value(arch):
        first, second = arch[0] + arch[1], arch[2] + arch[3]
        return (float(first), float(second)) if first + second <= 13 else (0.0, 0.0)

    def on_the_front(archs):
        return [value(arch) for arch in archs if sum(value(arch)) == 13]

    found = on_the_front(searched("nsga2", space, value, population_size=16, preference=Two()))
    drawn = on_the_front(searched("optuna:random", space, value, preference=Two()))
    assert len(found) > 2 * len(drawn)
    assert len(set(found)) == 4


def test_limits_are_kept_where_nearly_nothing_is_within_them():
    space = LimitedSpace(spaces.get("nasbench201"), Limits(params=80_000))
    asked = searched("optuna:random", space, lambda arch: 1.0, groups=3)
    assert all(space.admits(arch) for arch in asked)
    assert len(set(asked)) > 12


def test_an_incomplete_candidate_is_a_failed_trial():
    strategy = strategies.create("optuna:tpe", ToySpace(), seed=0, preference=Two())
    archs = strategy.ask(4)
    strategy.tell(list(zip(archs, [(1.0, 2.0), (1.0, None), None, (3.0, 4.0)], strict=True)))
    assert [row and row[1] for row in strategy.state()["trials"]] == [[1.0, 2.0], None, None, [3.0, 4.0]]


def test_what_others_propose_is_learned_from_as_well():
    strategy = strategies.create("optuna:tpe", ToySpace(), seed=0)
    strategy.tell([((1, 2, 3, 4), 7.0)])
    assert [row[:2] for row in strategy.state()["trials"]] == [[[1, 2, 3, 4], [7.0]]]
    assert strategy.state()["waiting"] == []


def test_a_sampler_of_your_own():
    strategy = strategies.create(f"optuna:{__name__}:Constant", ToySpace(), seed=0)
    assert strategy.ask(2) == [(1, 1, 1, 1)] * 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("optuna", "strategy optuna needs a sampler: optuna:SAMPLER"),
        ("optuna:", "strategy optuna needs a sampler: optuna:SAMPLER"),
        ("optuna:tpee", "unknown sampler 'tpee' of strategy optuna: did you mean tpe"),
        ("random:tpe", "strategy random takes no 'tpe' behind its name"),
        (f"optuna:{__name__}:Missing", "has no attribute 'Missing'"),
        (f"optuna:{__name__}:needs_no_seed", "cannot be made: TypeError"),
        (f"optuna:{__name__}:no_sampler", "makes a int, not a BaseSampler"),
    ],
)
def test_a_name_that_means_nothing_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        strategies.create(name, ToySpace(), seed=0).ask()


def test_a_sampler_that_cannot_work_with_the_values_says_so(monkeypatch):
    def refuse(self, *arguments):
        raise ValueError("one objective only")

    monkeypatch.setattr(optuna.samplers.RandomSampler, "sample_independent", refuse)
    strategy = strategies.create("optuna:random", ToySpace(), seed=0)
    with pytest.raises(
        InputError, match="sampler RandomSampler of Optuna cannot go on: ValueError: one objective only"
    ):
        strategy.ask()


@pytest.mark.parametrize("name", ["optuna:tpe", "nsga2"])
def test_without_optuna_it_says_what_to_install(monkeypatch, name):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(InputError, match=r"needs Optuna: pip install 'wrcor_ext\[optuna\]'"):
        strategies.create(name, ToySpace(), seed=0)


def test_optuna_stays_as_talkative_as_its_user_wants_it(caplog):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    optuna.logging.enable_propagation()
    try:
        with caplog.at_level(logging.INFO, logger="optuna"):
            searched("optuna:tpe", ToySpace(), lambda arch: 1.0, groups=2)
        assert not caplog.records
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
    finally:
        optuna.logging.disable_propagation()


def test_a_damaged_state_is_refused():
    strategy = strategies.create("optuna:tpe", ToySpace(), seed=0)
    strategy.ask(2)
    state = json.loads(json.dumps(strategy.state()))
    state["trials"][0][0] = [9, 9, 9, 9]
    with pytest.raises(InputError, match="the saved state of strategy 'optuna' is damaged"):
        strategies.create("optuna:tpe", ToySpace(), seed=0).restore(state)


def test_samplers_named_are_there():
    assert all(hasattr(optuna.samplers, name) for name in optuna_adapter.SAMPLERS.values())
