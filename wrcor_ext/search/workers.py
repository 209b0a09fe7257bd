"""Worker processes that evaluate candidates side by side; one that dies or hangs costs nothing but time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Generic, TypeVar

import torch

from wrcor_ext.errors import BackendError, WrcorError, in_words
from wrcor_ext.search.evaluator import Evaluator
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.spaces import Cost, Space

A = TypeVar("A", bound=Hashable)

# Makes, in a worker, the space that architectures are parsed by, and the evaluator.
MakeEvaluator = Callable[[], tuple[Space[Any], Evaluator[Any]]]

# A candidate whose worker died or hung is given to another one this often before it counts as failed.
RETRIES = 1

# How long a worker may take to leave after it has been told to.
FAREWELL_SECONDS = 5.0


def worker_count(wanted: int | None, threads: int, group: int) -> int:
    """How many workers a search has: those wanted, or one per `threads` cores and no more than a group keeps busy."""
    if wanted is not None:
        return wanted
    return max(1, min(_cores() // threads, group))


def _cores() -> int:
    """The cores that this process may use; not every platform tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkerPool(Generic[A]):
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
        self._space = space
        self._make_evaluator = make_evaluator
        self._threads = threads
        self._timeout = timeout
        self._proxies = tuple(proxies)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        self._free = workers
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []

    def results(self, archs: Sequence[A], stop: Callable[[], bool]) -> Iterator[tuple[int, Cost | None, Evaluation]]:
        """Index, cost and evaluation of each architecture as it is finished; none is begun once `stop()` is true.

        Raises:
            BackendError: if a compiled backend is missing in the workers.
        """
        waiting = deque(_Task(index, self._space.format(arch)) for index, arch in enumerate(archs))
        while waiting or self._busy:
            while waiting and not stop() and (self._idle or self._free):
                self._give(waiting.popleft())
            if not self._busy:
                return
            for worker in self._answered():
                task = worker.task
                assert task is not None
                answer = worker.answer()
                if isinstance(answer, _Lost):
                    self._end(worker)
                    if task.lost < RETRIES:
                        waiting.appendleft(_Task(task.index, task.text, task.lost + 1))
                        continue
                    yield task.index, None, self._failed(answer.reason)
                    continue
                self._busy.remove(worker)
                self._idle.append(worker)
                if isinstance(answer, WrcorError):
                    raise answer
                yield task.index, *answer

    def _give(self, task: _Task) -> None:
        if not self._idle:
            self._free -= 1
            self._idle.append(_Worker(self._context, self._make_evaluator, self._threads))
        worker = self._idle.pop()
        self._busy.append(worker)
        worker.begin(task, self._timeout)

    def _answered(self) -> list[_Worker]:
        """The workers that have answered, died, or used up their time; waits for the first."""
        deadline = min(worker.deadline for worker in self._busy)
        pause = None if deadline == float("inf") else max(0.0, deadline - time.monotonic())
        spoke = set(wait([worker.connection for worker in self._busy], pause))
        now = time.monotonic()
        return [w for w in self._busy if (w.connection in spoke and not w.has_begun()) or w.deadline <= now]

    def _end(self, worker: _Worker) -> None:
        worker.kill()
        self._busy.remove(worker)
        self._free += 1

    def _failed(self, reason: str) -> Evaluation:
        return Evaluation("failed", dict.fromkeys(self._proxies), 0.0, f"{reason}, {RETRIES + 1} times")

    def __enter__(self) -> WorkerPool[A]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for worker in self._idle:
            worker.dismiss()
        for worker in self._busy:
            worker.kill()


@dataclass(frozen=True)
class _Task:
    """A candidate, and how many workers were lost over it."""

    index: int
    text: str
    lost: int = 0


@dataclass(frozen=True)
class _Lost:
    """What came of a worker instead of an answer."""

    reason: str


class _Worker:
    """One process, seen from the search."""

    def __init__(self, context: Any, make_evaluator: MakeEvaluator, threads: int) -> None:
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_work, args=(theirs, make_evaluator, threads), daemon=True, name="wrcor worker"
        )
        self._process.start()
        theirs.close()  # so that its end is seen when the process is gone
        self.task: _Task | None = None
        self.deadline = float("inf")
        self._timeout: float | None = None
        self._made = False

    def begin(self, task: _Task, timeout: float | None) -> None:
        self.task, self._timeout = task, timeout
        self._start_clock()
        with suppress(OSError):  # it is gone already: its answer will say so
            self.connection.send(task.text)

    def has_begun(self) -> bool:
        """Whether what the process has to say is that it is made: only then does the time of its candidate run."""
        if self._made:
            return False
        try:
            self._made = self.connection.poll() and self.connection.recv() is None
        except (EOFError, OSError):
            return False  # it died: `answer` finds out
        self._start_clock()
        return self._made

    def _start_clock(self) -> None:
        if self._made and self._timeout is not None:
            self.deadline = time.monotonic() + self._timeout

    def answer(self) -> Any:
        """What the worker sent, or `_Lost`."""
        if not self.connection.poll():
            return _Lost(f"no answer within {self._timeout:g} s")
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self._process.join(FAREWELL_SECONDS)
            return _Lost(f"its worker ended with exit code {self._process.exitcode}")

    def dismiss(self) -> None:
        """Lets the process leave by itself."""
        self.connection.close()
        self._process.join(FAREWELL_SECONDS)
        self.kill()

    def kill(self) -> None:
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
            connection.send(None)
            connection.recv()
            connection.send(error if isinstance(error, WrcorError) else WrcorError(in_words(error)))
            return
        connection.send(None)
        while True:
            arch = space.parse(connection.recv())
            try:
                answer: object = (evaluator.cost(arch), evaluator.evaluate(arch))
            except BackendError as error:
                answer = error
            connection.send(answer)
