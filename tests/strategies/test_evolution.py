"""Regularised evolution against Algorithm 1 of Real et al. 2019."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from helpers.toy import ToySpace
from torch import nn

from wrcor_ext import spaces, strategies
from wrcor_ext.errors import InputError
from wrcor_ext.strategies import Highest
from wrcor_ext.strategies.evolution import RegularizedEvolution


class Cloning(ToySpace):
    """Mutation changes nothing: a child shows who its parent was."""

    def mutate(self, arch, rng, *, limits=None):
        return arch


def with_population(values, tournament_size, seed=0):
    """A strategy whose population is (0, 0, 0, i) with `values[i]`."""
    strategy = RegularizedEvolution(Cloning(), seed=seed, population_size=len(values), tournament_size=tournament_size)
    strategy.ask(len(values))
    strategy.tell([((0, 0, 0, i), value) for i, value in enumerate(values)])
    return strategy


def living(strategy):
    return [text for text, _ in strategy.state()["population"]]


def test_the_founders_are_the_first_samples_of_the_generator():
    rng, space = np.random.Generator(np.random.PCG64(3)), ToySpace()
    strategy = RegularizedEvolution(space, seed=3, population_size=8)
    assert strategy.ask(8) == [space.sample(rng) for _ in range(8)]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_parents_win_uniform_tournaments_with_replacement(size):
    parents = Counter(arch[-1] for arch in with_population([1.0, 2.0, 3.0, 4.0], size).ask(20_000))
    for rank in range(4):
        expected = ((rank + 1) / 4) ** size - (rank / 4) ** size  # the best of `size` draws has this rank
        assert parents[rank] / 20_000 == pytest.approx(expected, abs=0.015)


def test_candidates_without_a_score_are_parents_only_among_themselves():
    population = [None, -1e9, None, None]
    parents = Counter(arch[-1] for arch in with_population(population, 2).ask(8_000))
    assert parents[1] / 8_000 == pytest.approx(1 - (3 / 4) ** 2, abs=0.02)
    assert set(parents) == {0, 1, 2, 3}


def test_a_child_is_one_mutation_away_from_a_living_member():
    strategy = RegularizedEvolution(ToySpace(), seed=0, population_size=4, tournament_size=2)
    for _ in range(60):
        population = [ToySpace().parse(text) for text in living(strategy)]
        (child,) = strategy.ask()
        if len(population) == 4:
            assert 1 in [sum(a != b for a, b in zip(child, member, strict=True)) for member in population]
        strategy.tell([(child, float(sum(child)))])


def test_the_preference_compares_exactly_those_drawn_and_its_choice_is_mutated():
    class Listening(Highest):
        """The lowest, so that it is not taken for the default; remembers who was compared."""

        def __init__(self):
            self.compared = []

        def best(self, candidates):
            self.compared.append([values[0] for values in candidates])
            return min(range(len(candidates)), key=lambda i: candidates[i][0])

    preference = Listening()
    strategy = RegularizedEvolution(Cloning(), seed=5, population_size=4, tournament_size=3, preference=preference)
    strategy.ask(4)
    rng = np.random.Generator(np.random.PCG64())
    rng.bit_generator.state = strategy.state()["generator"]
    strategy.tell([((0, 0, 0, i), float(i)) for i in range(4)])
    children = strategy.ask(50)
    drawn = [list(dict.fromkeys(rng.integers(4, size=3).tolist())) for _ in range(50)]
    assert preference.compared == drawn
    assert [child[-1] for child in children] == [min(one) for one in drawn]


def test_the_oldest_dies_however_good_it_is():
    strategy = with_population([9.0, 1.0, 2.0], 3)
    strategy.tell([((4, 4, 4, 4), 5.0)])
    assert living(strategy) == ["0-0-0-1", "0-0-0-2", "4-4-4-4"]


def test_told_in_one_go_or_one_by_one_is_the_same():
    results = [((0, 0, 0, i % 5), float(i)) for i in range(9)]
    together, single = (RegularizedEvolution(ToySpace(), seed=0, population_size=4) for _ in range(2))
    together.tell(results)
    for result in results:
        single.tell([result])
    assert together.state() == single.state()


def test_it_climbs_higher_than_random_search():
    def best(name, seed):
        strategy = strategies.create(name, ToySpace(), seed=seed, population_size=10, tournament_size=5)
        values = []
        for _ in range(150):
            (arch,) = strategy.ask()
            values.append(float(sum(arch)))
            strategy.tell([(arch, values[-1])])
        return np.mean(values[-50:])

    gains = [best("evolution", seed) - best("random", seed) for seed in range(5)]
    assert min(gains) > 2


@pytest.mark.parametrize("options", [{"population_size": 0}, {"tournament_size": 0}])
def test_sizes_out_of_range_are_refused(options):
    with pytest.raises(InputError, match=f"{next(iter(options))} 0"):
        RegularizedEvolution(ToySpace(), seed=0, **options)


def test_a_state_with_too_many_members_is_refused():
    state = with_population([1.0, 2.0, 3.0], 2).state()
    with pytest.raises(InputError, match="3 members in a population of 2"):
        RegularizedEvolution(Cloning(), seed=0, population_size=2).restore(state)


def test_a_space_of_one_architecture_is_searched_like_any_other():
    space = spaces.from_models([nn.Identity])
    strategy = strategies.create("evolution", space, seed=0, population_size=2)
    for _ in range(3):
        archs = strategy.ask(2)
        strategy.tell([(arch, 1.0) for arch in archs])
        assert archs == [("Identity",)] * 2
