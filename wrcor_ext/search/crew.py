"""A crew of workers that evaluate candidates elsewhere; one that dies or hangs costs nothing but time."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar

from wrcor_ext.errors import BackendError, WrcorError, in_words
from wrcor_ext.search.evaluator import Evaluator
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.spaces import Cost, Space

A = TypeVar("A", bound=Hashable)
W = TypeVar("W", bound="Worker")

# Makes, in a worker, the space that architectures are parsed by, and the evaluator.
MakeEvaluator = Callable[[], tuple[Space[Any], Evaluator[Any]]]

# A candidate whose worker died or hung is given to another one this often before it counts as failed.
RETRIES = 1

# How long a crew waits at a time before it looks whether it has been asked to stop.
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Task:
    """A candidate, and how many workers were lost over it."""

    index: int
    text: str
    lost: int = 0


@dataclass(frozen=True)
class Lost:
    """What came of a worker instead of an answer: a reason that is the same each time, for it is recorded."""

    reason: str


class Worker(ABC):
    """Somebody who evaluates one candidate at a time.

    The first thing to hear of it is that it is made: None. From then on each task has one answer.

    Attributes:
        task: what it is busy with; None if nothing.
        deadline: on the monotonic clock, when its answer has to be there.
    """

    def __init__(self) -> None:
        self.task: Task | None = None
        self.deadline = float("inf")

    @abstractmethod
    def begin(self, text: str) -> None:
        """Sends it an architecture to evaluate."""

    @abstractmethod
    def answer(self) -> object:
        """What it said: None, cost and evaluation, or an error that is to stop the search; `Lost` if it is gone."""

    @abstractmethod
    def dismiss(self) -> None:
        """Lets it leave; it is idle."""

    @abstractmethod
    def kill(self) -> None:
        """Ends it at once, whatever it is doing."""


class Crew(ABC, Generic[A, W]):
    """Evaluates the candidates of a group side by side; the answers are those of one process.

    A context manager. Workers are hired when there is work for them, and get it once they are made: those that take
    their time keep no candidate waiting.

    Args:
        space: that the architectures belong to; they travel as text.
        workers: how many there may be.
        timeout: seconds that a candidate may take; None waits for ever.
        proxies: names for the scores of a candidate that failed.
    """

    def __init__(self, space: Space[A], *, workers: int, timeout: float | None, proxies: Sequence[str]) -> None:
        self._space = space
        self._timeout = timeout
        self._proxies = tuple(proxies)
        self._free = workers
        self._making: list[W] = []
        self._idle: list[W] = []
        self._busy: list[W] = []
        self._lost_in_making = 0

    @abstractmethod
    def _hired(self) -> W:
        """A new worker."""

    @abstractmethod
    def _spoke(self, workers: Sequence[W], seconds: float) -> Collection[W]:
        """Those that have something to say or are gone; waits for the first, but no longer than that."""

    def results(self, archs: Sequence[A], stop: Callable[[], bool]) -> Iterator[tuple[int, Cost | None, Evaluation]]:
        """Index, cost and evaluation of each architecture as it is finished; none is begun once `stop()` is true.

        Raises:
            BackendError: if a compiled backend is missing in the workers.
            WrcorError: if no worker can be made.
        """
        waiting = deque(Task(index, self._space.format(arch)) for index, arch in enumerate(archs))
        while waiting or self._busy:
            while self._free and len(self._making) + len(self._idle) < len(waiting):
                self._free -= 1
                self._making.append(self._hired())
            while waiting and self._idle and not stop():
                self._give(self._idle.pop(), waiting.popleft())
            if not self._busy and (self._idle or stop()):
                return
            for worker, answer in self._answers():
                task = worker.task
                if isinstance(answer, WrcorError):
                    raise answer
                if isinstance(answer, Lost):
                    self._end(worker)
                    if task is None:
                        self._do_without(answer)
                    elif task.lost < RETRIES:
                        waiting.appendleft(Task(task.index, task.text, task.lost + 1))
                    else:
                        yield task.index, None, self._failed(answer.reason)
                    continue
                self._release(worker)
                if task is None:
                    self._lost_in_making = 0
                else:
                    cost, evaluation = answer
                    yield task.index, cost, evaluation

    def _give(self, worker: W, task: Task) -> None:
        self._busy.append(worker)
        worker.task = task
        if self._timeout is not None:
            worker.deadline = time.monotonic() + self._timeout
        worker.begin(task.text)

    def _answers(self) -> list[tuple[W, Any]]:
        """What workers have said since, or that they died or used up their time; waits a little for the first."""
        watched = [*self._making, *self._busy]
        left = min(worker.deadline for worker in watched) - time.monotonic()
        spoke = self._spoke(watched, min(max(left, 0.0), LOOK_SECONDS))
        now = time.monotonic()
        late = Lost(f"no answer within {self._timeout:g} s") if self._timeout is not None else None
        return [
            (worker, worker.answer() if worker in spoke else late)
            for worker in watched
            if worker in spoke or worker.deadline <= now
        ]

    def _release(self, worker: W) -> None:
        (self._making if worker in self._making else self._busy).remove(worker)
        worker.task, worker.deadline = None, float("inf")
        self._idle.append(worker)

    def _end(self, worker: W) -> None:
        (self._making if worker in self._making else self._busy).remove(worker)
        worker.kill()
        self._free += 1

    def _do_without(self, lost: Lost) -> None:
        """After a worker was lost before it was made: another one is tried, then the crew goes on with fewer."""
        self._lost_in_making += 1
        if self._lost_in_making <= RETRIES:
            return
        self._free -= 1
        if not (self._free or self._making or self._idle or self._busy):
            raise WrcorError(f"no worker can be made: {lost.reason}, {self._lost_in_making} times")

    def _failed(self, reason: str) -> Evaluation:
        return Evaluation("failed", dict.fromkeys(self._proxies), 0.0, f"{reason}, {RETRIES + 1} times")

    def __enter__(self) -> Crew[A, W]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for worker in self._idle:
            worker.dismiss()
        for worker in [*self._making, *self._busy]:
            worker.kill()


def answered(space: Space[Any], evaluator: Evaluator[Any], text: str) -> object:
    """In a worker: its answer to an architecture."""
    arch = space.parse(text)
    try:
        return evaluator.cost(arch), evaluator.evaluate(arch)
    except BackendError as error:
        return error


def stopping(error: Exception) -> WrcorError:
    """In a worker: what it sends of an error that every worker would meet."""
    return error if isinstance(error, WrcorError) else WrcorError(in_words(error))
