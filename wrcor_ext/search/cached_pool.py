"""A pool that asks the score cache before it lets anybody work."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import numpy as np
import torch

from wrcor_ext import ops, spaces
from wrcor_ext.data import Batch
from wrcor_ext.devices import checked_device, device_name
from wrcor_ext.scoring_options import ScoringOptions
from wrcor_ext.search import pools
from wrcor_ext.search.config import NETWORK_OPTIONS, OPTIONS, SearchConfig
from wrcor_ext.search.evaluator import Evaluator, InProcessEvaluator
from wrcor_ext.search.pools import Pool
from wrcor_ext.search.ray_cluster import Packing
from wrcor_ext.search.score_cache import ScoreCache
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.spaces import Cost, Space

A = TypeVar("A", bound=Hashable)

# Proxies have rows of their own, the batch's hash stands for the options that choose it, and of a device counts what
# it is. Any other option that decides scores is a fact, one that is added later too.
_ELSEWHERE = ("proxies", "device", "dataset", "augment", "batch_size", "image_size")


def facts(config: SearchConfig, batch: Batch) -> dict[str, object]:
    """All that scores depend on, to the last digit, besides architecture and proxy, in JSON types."""
    scoring = [field.name for field in dataclasses.fields(ScoringOptions)]
    decisive = [name for name in scoring if OPTIONS[name].role == "result" and name not in _ELSEWHERE]
    return {
        "space": config.space,
        "space_version": spaces.entry(config.space).version,
        "num_classes": batch.num_classes,
        "architecture": "canonical" if config.dedup else "text",
        "batch": [batch.sha256, *batch.images.shape],
        **{name: getattr(config, name) for name in (*NETWORK_OPTIONS, *decisive)},
        "hardware": _hardware(config),
        "threads": config.threads,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _hardware(config: SearchConfig) -> list[str]:
    """What computes: the processor with its instruction set, or the model of a GPU, and whose kernels."""
    if config.ray is not None:
        return ["a Ray cluster", config.device]  # of any machines
    device = checked_device(config.device)
    if device.type == "cpu":
        library = ops.native_library()
        kernels = "torch" if library is None else library.instruction_set
        return [platform.machine(), torch.backends.cpu.get_cpu_capability(), kernels]
    return [device_name(device), *sorted({one.backend for one in ops.backends() if one.device == device.type})]


@contextmanager
def chosen(
    cache: ScoreCache | None,
    packing: Packing | None,
    config: SearchConfig,
    space: Space[A],
    batch: Batch,
    evaluator: InProcessEvaluator[A],
) -> Iterator[Pool[A]]:
    """As `pools.chosen`, behind the cache if there is one."""
    with pools.chosen(packing, config, space, batch, evaluator) as pool:
        yield pool if cache is None else CachedPool(cache, pool, evaluator, space, config, batch)


class CachedPool(Generic[A]):
    """Answers for architectures that the cache knows, and keeps what another pool finds out about the rest.

    A hit needs all proxies of the run; a run with some of them profits from one with all. Isomorphic architectures
    share their entry, as they do within a run; without `config.dedup`, each text has its own.

    Args:
        cache: what is known.
        pool: evaluates the rest.
        evaluator: counts the cost of architectures that need no evaluation.
        space: that the architectures belong to.
        config: of the run.
        batch: the images and labels.
    """

    def __init__(
        self,
        cache: ScoreCache,
        pool: Pool[A],
        evaluator: Evaluator[A],
        space: Space[A],
        config: SearchConfig,
        batch: Batch,
    ) -> None:
        self._cache = cache
        self._pool = pool
        self._evaluator = evaluator
        self._name = space.key if config.dedup else space.format
        self._names = config.members
        self._ranking = config.objective.ranking
        self._setting = cache.setting(facts(config, batch))

    def results(self, archs: Sequence[A], stop: Callable[[], bool]) -> Iterator[tuple[int, Cost | None, Evaluation]]:
        """Index, cost and evaluation of each architecture: those that are known first, then as they are finished."""
        if self._setting is None:
            yield from self._pool.results(archs, stop)
            return
        texts = [self._name(arch) for arch in archs]
        unknown = []
        for index, arch in enumerate(archs):
            known = self._cache.find(self._setting, texts[index], self._names)
            if known is None:
                unknown.append(index)
            elif not stop():
                evaluation = Evaluation.of(*known, self._ranking, seconds=0.0, cached=True)
                yield index, self._evaluator.cost(arch), evaluation
        for place, cost, evaluation in self._pool.results([archs[index] for index in unknown], stop):
            self._cache.keep(self._setting, texts[unknown[place]], evaluation)
            yield unknown[place], cost, evaluation
