"""Who evaluates the candidates of a search: this process or others; the answers are the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Generic, Protocol, TypeVar

from wrcor_ext.data import Batch
from wrcor_ext.devices import checked_device
from wrcor_ext.search import ray_cluster
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.evaluator import Evaluator, InProcessEvaluator
from wrcor_ext.search.ray_cluster import Packing
from wrcor_ext.search.setup import evaluator_maker
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.search.workers import WorkerPool, worker_count
from wrcor_ext.spaces import Cost, Space

A = TypeVar("A", bound=Hashable)
A_contra = TypeVar("A_contra", contravariant=True)


class Pool(Protocol[A_contra]):
    """Whoever evaluates a group of architectures, in whatever order it finishes them."""

    def results(
        self, archs: Sequence[A_contra], stop: Callable[[], bool]
    ) -> Iterator[tuple[int, Cost | None, Evaluation]]:
        """Index, cost and evaluation of each architecture as it is finished; none is begun once `stop()` is true."""


class InProcess(Generic[A]):
    """Evaluates one after the other, here.

    Args:
        evaluator: does the work.
    """

    def __init__(self, evaluator: Evaluator[A]) -> None:
        self._evaluator = evaluator

    def results(self, archs: Sequence[A], stop: Callable[[], bool]) -> Iterator[tuple[int, Cost | None, Evaluation]]:
        """Index, cost and evaluation of each architecture, in order."""
        for index, arch in enumerate(archs):
            if stop():
                return
            yield index, self._evaluator.cost(arch), self._evaluator.evaluate(arch)


class Together(Generic[A]):
    """Runs the passes of a whole group here, then finishes all of them: a GPU is waited for once.

    Args:
        evaluator: does the work.
    """

    def __init__(self, evaluator: InProcessEvaluator[A]) -> None:
        self._evaluator = evaluator

    def results(self, archs: Sequence[A], stop: Callable[[], bool]) -> Iterator[tuple[int, Cost | None, Evaluation]]:
        """Index, cost and evaluation of each architecture, in order, after the last of them has been begun."""
        begun = [self._evaluator.begun(arch) for arch in archs if not stop()]
        for index, evaluation in enumerate(self._evaluator.finished(begun)):
            yield index, self._evaluator.cost(archs[index]), evaluation


# Makes the pool of a configuration, such as `chosen` with its first argument bound.
Make = Callable[[SearchConfig, Space[Any], Batch, InProcessEvaluator[Any]], AbstractContextManager[Pool[Any]]]


def cluster(config: SearchConfig, note: Callable[[str], None]) -> AbstractContextManager[Packing | None]:
    """The connection to a Ray cluster that a configuration asks for, for as long as it is entered; None without Ray.

    Args:
        config: of the run.
        note: is told how many workers there will be.
    """
    return nullcontext() if config.ray is None else ray_cluster.connected(config, note)


def here(config: SearchConfig) -> SearchConfig:
    """`config` for what this process does itself: where others have the GPUs, it needs none."""
    return config if config.ray is None else replace(config, device="cpu")


def chosen(
    packing: Packing | None,
    config: SearchConfig,
    space: Space[A],
    batch: Batch,
    evaluator: InProcessEvaluator[A],
) -> AbstractContextManager[Pool[A]]:
    """The pool that a configuration asks for; entered, it is ready, and left, it leaves nothing behind.

    Args:
        packing: of the workers in the Ray cluster that this process is connected to, if it is.
        config: `workers`, `threads`, `timeout` and the device decide.
        space: that the architectures belong to.
        batch: the images and labels.
        evaluator: does the work where it is done in this process.
    """
    if packing is not None:
        from wrcor_ext.search.ray_pool import RayPool

        return RayPool(
            space,
            evaluator_maker(config, batch),
            packing=packing,
            threads=config.threads,
            timeout=config.timeout,
            proxies=config.members,
        )
    on_cpu = checked_device(config.device).type == "cpu"
    # One process keeps a GPU busy, unless more are asked for.
    workers = worker_count(config.workers, config.threads, config.group if on_cpu else 1)
    if workers == 1 and config.timeout is None:
        return nullcontext(InProcess(evaluator) if on_cpu else Together(evaluator))
    return WorkerPool(
        space,
        evaluator_maker(config, batch),
        workers=workers,
        threads=config.threads,
        timeout=config.timeout,
        proxies=config.members,
    )
