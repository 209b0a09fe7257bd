"""Searches killed by SIGKILL at random moments, again and again: gone on with, they end as if nothing had happened."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import signal
import time
from dataclasses import replace

import pytest
from helpers.every_strategy import EVERY_STRATEGY
from helpers.toy import ToyEvaluator
from helpers.toy_run import CONFIG, ENVIRONMENT, search

from wrcor_ext.search.pools import InProcess
from wrcor_ext.search.study import Study

# A fork has imported everything already, so that a kill costs milliseconds; it computes nothing with torch.
FORK = multiprocessing.get_context("fork")
KILLS = 4

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


class Scattered:
    """Finishes the candidates of a group in an order of its own, as several workers do."""

    def __init__(self):
        self._evaluator = ToyEvaluator()

    def results(self, archs, stop):
        for index in sorted(range(len(archs)), key=lambda index: hash(archs[index])):
            yield index, self._evaluator.cost(archs[index]), self._evaluator.evaluate(archs[index])


POOLS = {"alone": lambda: InProcess(ToyEvaluator()), "workers": Scattered}


def run(folder, config, pool, begun=None):
    with Study(folder, config, ENVIRONMENT, resume=True) as study:
        if begun is not None:
            begun.send(study.resumed)
        search(study, POOLS[pool]())
        return study.fingerprint()


def killed(folder, config, pool, pause):
    """Goes on with a run in a process that is killed so many seconds after it has opened it; whether it still ran."""
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=run, args=(folder, config, pool, theirs))
    process.start()
    theirs.close()
    assert ours.poll(60)
    time.sleep(pause)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("strategy", EVERY_STRATEGY)
def test_killed_at_random_moments_every_strategy_ends_with_the_identical_journal(tmp_path, strategy, pool):
    config = replace(CONFIG, strategy=strategy)
    start = time.perf_counter()
    whole = run(tmp_path / "whole", config, "alone")
    longest = (time.perf_counter() - start) / 2
    generator, folder, kills = random.Random(strategy), tmp_path / "killed", 0
    while kills < KILLS:
        if killed(folder, config, pool, generator.uniform(0, longest)):
            kills += 1
        else:  # it came to its end before: once more, with less patience
            shutil.rmtree(folder)
            longest, kills = longest / 2, 0
    assert run(folder, config, pool) == whole
