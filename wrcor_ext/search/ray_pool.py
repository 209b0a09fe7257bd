"""A crew of Ray actors: workers on this machine or on many."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import ray
import torch
from ray.exceptions import RayError, RayTaskError

import wrcor_ext
from wrcor_ext.errors import WrcorError
from wrcor_ext.search.crew import Crew, Lost, MakeEvaluator, Worker, answered, stopping
from wrcor_ext.search.ray_cluster import Packing
from wrcor_ext.spaces import Space

A = TypeVar("A", bound=Hashable)


class RayPool(Crew[A, "RayWorker"]):
    """Evaluates the candidates of a group in actors of the Ray cluster that this process is connected to.

    A context manager; the actors start with the first group. While a cluster has no room for some of them, the others
    do the work.

    Args:
        space: that the architectures belong to; they travel as text.
        make_evaluator: called once in each actor; picklable. It is stored in the cluster once, with all its arrays.
        packing: number of actors, and what each of them takes.
        threads: of torch, in each of them.
        timeout: seconds that a candidate may take; None waits for ever.
        proxies: names for the scores of a candidate that failed.
    """

    def __init__(
        self,
        space: Space[A],
        make_evaluator: MakeEvaluator,
        *,
        packing: Packing,
        threads: int,
        timeout: float | None,
        proxies: Sequence[str],
    ) -> None:
        super().__init__(space, workers=packing.workers, timeout=timeout, proxies=proxies)
        self._maker = ray.put(make_evaluator)
        self._threads = threads
        # An actor that dies is not started again by Ray: its candidate may be what it died of.
        self._actor = ray.remote(_Actor).options(
            num_cpus=packing.num_cpus, num_gpus=packing.num_gpus, max_restarts=0, max_task_retries=0
        )

    def _hired(self) -> RayWorker:
        return RayWorker(self._actor.remote(), self._maker, self._threads)

    def _spoke(self, workers: Sequence[RayWorker], seconds: float) -> list[RayWorker]:
        ready, _ = ray.wait([worker.awaited for worker in workers], num_returns=1, timeout=seconds, fetch_local=False)
        return [worker for worker in workers if worker.awaited in ready]


class RayWorker(Worker):
    """One actor, seen from the search."""

    def __init__(self, actor: Any, maker: Any, threads: int) -> None:
        super().__init__()
        self._actor = actor
        self.awaited = actor.make.remote(maker, threads, _versions())

    def begin(self, text: str) -> None:
        """Sends it an architecture to evaluate."""
        self.awaited = self._actor.answer.remote(text)

    def answer(self) -> object:
        """What it said, or `Lost`."""
        try:
            return ray.get(self.awaited)
        except RayTaskError as error:  # nothing that has to do with one candidate: the actor catches that
            return stopping(error.cause)
        except RayError:
            # What Ray says holds addresses and process numbers, which have no place in a record.
            return Lost("its worker died")

    def dismiss(self) -> None:
        """Ends the actor, which has nothing to finish."""
        self.kill()

    def kill(self) -> None:
        """Ends the actor at once."""
        with suppress(RayError):  # it is gone already
            ray.kill(self._actor, no_restart=True)


class _Actor:
    """Makes the evaluator when it is told to, so that what goes wrong then is an answer like any other."""

    def make(self, make_evaluator: MakeEvaluator, threads: int, versions: dict[str, str]) -> WrcorError | None:
        try:
            _refuse_other(versions)
            torch.set_num_threads(threads)
            self._space, self._evaluator = make_evaluator()
        except Exception as error:  # noqa: BLE001  whatever it is, every worker would meet it: the search has to stop
            return stopping(error)
        return None

    def answer(self, text: str) -> object:
        return answered(self._space, self._evaluator, text)


def _versions() -> dict[str, str]:
    """What decides the digits of a score besides the processor."""
    return {"wrcor_ext": wrcor_ext.__version__, "torch": torch.__version__}


def _refuse_other(versions: dict[str, str]) -> None:
    for name, here in _versions().items():
        if here != versions[name]:
            raise WrcorError(f"a machine of the Ray cluster has {name} {here}, the search {versions[name]}")
