"""A crew of processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Hashable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import torch

from wrcor_ext.search.crew import Crew, Lost, MakeEvaluator, Worker, answered, stopping
from wrcor_ext.spaces import Space

A = TypeVar("A", bound=Hashable)

# How long a worker may take to leave after it has been told to.
FAREWELL_SECONDS = 5.0


def worker_count(wanted: int | None, threads: int, group: int) -> int:
    """How many workers a search has: those wanted, or one per `threads` cores and no more than a group keeps busy."""
    if wanted is not None:
        return wanted
    return max(1, min(cores() // threads, group))


def cores() -> int:
    """The cores that this process may use; not every platform tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkerPool(Crew[A, "ProcessWorker"]):
    """Evaluates the candidates of a group in several processes; the answers are those of one process.

    Processes come from a fork server that has imported torch once and has used nothing of it: a fork of a process that
    computes is not safe. A context manager; the processes start with the first group.

    Args:
        space: that the architectures belong to; they travel as text.
        make_evaluator: called once in each worker; picklable, such as a module's function with its arguments bound.
        workers: number of processes.
        threads: of torch, in each of them.
        timeout: seconds that a candidate may take; None waits for ever.
        proxies: names for the scores of a candidate that failed.
    """

    def __init__(
        self,
        space: Space[A],
        make_evaluator: MakeEvaluator,
        *,
        workers: int,
        threads: int,
        timeout: float | None,
        proxies: Sequence[str],
    ) -> None:
        super().__init__(space, workers=workers, timeout=timeout, proxies=proxies)
        self._make_evaluator = make_evaluator
        self._threads = threads
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])

    def _hired(self) -> ProcessWorker:
        return ProcessWorker(self._context, self._make_evaluator, self._threads)

    def _spoke(self, workers: Sequence[ProcessWorker], seconds: float) -> list[ProcessWorker]:
        spoke = set(wait([worker.connection for worker in workers], seconds))
        return [worker for worker in workers if worker.connection in spoke]


class ProcessWorker(Worker):
    """One process, seen from the search."""

    def __init__(self, context: Any, make_evaluator: MakeEvaluator, threads: int) -> None:
        super().__init__()
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_work, args=(theirs, make_evaluator, threads), daemon=True, name="wrcor worker"
        )
        self._process.start()
        theirs.close()  # so that its end is seen when the process is gone

    def begin(self, text: str) -> None:
        """Sends it an architecture to evaluate."""
        with suppress(OSError):  # it is gone already: its answer will say so
            self.connection.send(text)

    def answer(self) -> object:
        """What it sent, or `Lost`."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self._process.join(FAREWELL_SECONDS)
            return Lost(f"its worker ended with exit code {self._process.exitcode}")

    def dismiss(self) -> None:
        """Lets the process leave by itself."""
        self.connection.close()
        self._process.join(FAREWELL_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _work(connection: Connection, make_evaluator: MakeEvaluator, threads: int) -> None:
    """The life of a worker: text of an architecture in, cost and evaluation out, until the search is gone."""
    # Ctrl-C reaches the whole group of processes; what becomes of it is for the search to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the search has ended
        try:
            space, evaluator = make_evaluator()
        except Exception as error:  # noqa: BLE001  whatever it is, every worker would meet it: the search has to stop
            connection.send(stopping(error))
            return
        connection.send(None)
        while True:
            connection.send(answered(space, evaluator, connection.recv()))
