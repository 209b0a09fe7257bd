"""Searches of the toy space in a run folder: the real loop, study and journal, without a network."""

from __future__ import annotations

from helpers.toy import ToyEvaluator, ToySpace

from wrcor_ext import strategies
from wrcor_ext.search import driver
from wrcor_ext.search.callbacks import Watchers
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.interruption import Interruption
from wrcor_ext.search.pools import InProcess
from wrcor_ext.search.timings import Timings

CONFIG = SearchConfig(proxies=["wrcor", "naswot"], population_size=6, tournament_size=3, group=6, budget=120)
ENVIRONMENT = {"batch_sha256": "0123456789abcdef"}


def search(study, pool=None):
    """Spends the budget of an open study."""
    config, space, evaluator = study.config, ToySpace(), ToyEvaluator()
    entry = strategies.get(config.strategy)
    options = {name: getattr(config, name) for name in entry.options}
    strategy = strategies.create(config.strategy, space, seed=config.seed, preference=study.objective, **options)
    driver.run(
        study.journal,
        space,
        strategy,
        evaluator,
        pool or InProcess(evaluator),
        objective=study.objective,
        budget=config.budget,
        group=config.group,
        progress=Watchers(),
        interruption=Interruption(),
        timings=Timings(),
    )
