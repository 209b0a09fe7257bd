"""NSGA-II: a population that spreads along the Pareto front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrcor_ext.errors import InputError
from wrcor_ext.strategies.base import A
from wrcor_ext.strategies.optuna_adapter import OptunaStrategy, require_optuna
from wrcor_ext.strategies.preference import Preference
from wrcor_ext.strategies.registry import register

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from wrcor_ext.spaces import Space


@register(
    "nsga2",
    paper="Deb et al., A fast and elitist multiobjective genetic algorithm: NSGA-II, IEEE TEVC 2002",
    options=("population_size",),
)
class NSGA2(OptunaStrategy[A]):
    """Optuna's NSGA-II: uniform crossover and mutation of the best by non-dominated rank and crowding distance.

    Parents are drawn from the elite of each generation, their variables are exchanged with the probabilities of
    Optuna's defaults (a crossover in nine of ten children, half of the variables swapped), and one variable of a child
    is drawn anew on average. Members of a vote are objectives of their own.

    Args:
        space: what to draw from.
        seed: of the private generator.
        population_size: candidates of a generation.
        preference: says how many values a candidate has.

    Raises:
        InputError: for a size below two, or if Optuna is not installed.
    """

    def __init__(
        self, space: Space[A], *, seed: int, population_size: int = 64, preference: Preference | None = None
    ) -> None:
        require_optuna(f"strategy {self.name}")
        if population_size < 2:
            raise InputError(f"population_size {population_size}: strategy {self.name} needs at least 2")

        def sampler(seed: int) -> BaseSampler:
            from optuna.samplers import NSGAIISampler

            made = NSGAIISampler(population_size=population_size, seed=seed)
            # By itself a new sampler goes through all trials to find out which parameters they share.
            made.infer_relative_search_space = lambda study, trial: self._shared  # type: ignore[method-assign]
            return made

        super().__init__(space, seed=seed, sampler=sampler, preference=preference)
        self._shared = {name: choice for name, choice in self._distributions.items() if not choice.single()}
