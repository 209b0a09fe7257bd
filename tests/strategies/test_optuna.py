"""Strategies that hand the choice to a sampler of Optuna."""

from __future__ import annotations

import json
import logging

import numpy as np
import optuna
import pytest
from helpers.toy import ToySpace
from torch import nn

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


def layer(out_channels, kernel_size):
    return nn.Conv2d(3, out_channels, kernel_size)


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
    told = [(name, values) for name, _, values, _ in strategy.state()["trials"]]
    assert told == [("COMPLETE", [1.0, 2.0]), ("FAIL", None), ("FAIL", None), ("COMPLETE", [3.0, 4.0])]


def test_what_others_propose_is_learned_from_as_well():
    strategy = strategies.create("optuna:tpe", ToySpace(), seed=0)
    strategy.tell([((1, 2, 3, 4), 7.0)])
    assert [row[:3] for row in strategy.state()["trials"]] == [["COMPLETE", [1, 2, 3, 4], [7.0]]]
    assert strategy.state()["waiting"] == []


def test_nsga2_has_children_of_what_others_propose():
    space, rng = ToySpace(), np.random.default_rng(0)
    strategy = strategies.create("nsga2", space, seed=0, population_size=8)
    strategy.tell([(arch, float(sum(arch))) for arch in (space.sample(rng) for _ in range(64))])
    assert np.mean([sum(arch) for arch in strategy.ask(32)]) > 10  # 8 by chance


def test_nsga2_is_the_sampler_of_optuna():
    def value(arch):
        return float(arch[0]), float(-arch[1])

    own = searched("nsga2", ToySpace(), value, population_size=50, preference=Two())
    assert own == searched("optuna:nsgaii", ToySpace(), value, preference=Two())


def test_a_sampler_that_stops_ends_the_search_with_all_architectures_seen():
    grid = {"out_channels": [1, 2, 3, 4, 5, 6], "kernel_size": [1, 2, 3, 4, 5]}
    space = LimitedSpace(spaces.from_models(layer, grid), Limits(params=60))
    within = {(c, k) for c in grid["out_channels"] for k in grid["kernel_size"] if c * (3 * k * k + 1) <= 60}
    strategy = strategies.create("optuna:bruteforce", space, seed=0)
    asked = []
    while archs := strategy.ask():
        strategy.tell([(archs[0], 1.0)])
        asked += archs
        # What is outside the limits has failed, and is not suggested again by a search that is resumed either.
        state = json.loads(json.dumps(strategy.state()))
        strategy = strategies.create("optuna:bruteforce", space, seed=1)
        strategy.restore(state)
    assert set(asked) == within
    assert strategy.ask(3) == []


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

    strategy = strategies.create("optuna:random", ToySpace(), seed=0)
    (arch,) = strategy.ask()
    message = "sampler RandomSampler of Optuna cannot go on: ValueError: one objective only"
    monkeypatch.setattr(optuna.samplers.RandomSampler, "sample_independent", refuse)
    with pytest.raises(InputError, match=message):
        strategy.ask()
    monkeypatch.setattr(optuna.samplers.RandomSampler, "after_trial", refuse)
    with pytest.raises(InputError, match=message):
        strategy.tell([(arch, 1.0)])


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
    state["trials"][0][1] = [9, 9, 9, 9]
    with pytest.raises(InputError, match="the saved state of strategy 'optuna' is damaged"):
        strategies.create("optuna:tpe", ToySpace(), seed=0).restore(state)


def test_samplers_named_are_there():
    assert all(hasattr(optuna.samplers, name) for name in optuna_adapter.SAMPLERS.values())
