"""Hooks into a search: told when it starts, of every trial, and when it ends. Dashboards are built on them.

A callback is any object with the three methods of `Callback`; it watches and decides nothing. It is called in the
process of the command, after a trial has been committed, so that it can lose none: one that raises is named and left
out, and the search goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rich.console import Console

from wrcor_ext import imports
from wrcor_ext.errors import InputError, in_words
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.front import Standing
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.study import Study
from wrcor_ext.search.trial import Trial


@dataclass(frozen=True)
class Start:
    """What is known before the first trial.

    Attributes:
        folder: of the run.
        objective: what is maximised.
        config: option values by name.
        environment: versions, processor, images, by name.
        finished: trials that a resumed run already holds; they are not reported again.
        best: the best of these, of several objectives by the first one; None without any.
        front: of several objectives, those of these that no other dominates.
        reference: of several objectives, the worst seen of each among these, higher is better: what hypervolumes are
            measured from; None without any.
    """

    folder: Path
    objective: Objective
    config: Mapping[str, object]
    environment: Mapping[str, object]
    finished: int
    best: Trial | None
    front: tuple[Trial, ...] = ()
    reference: tuple[float, ...] | None = None

    def standing(self) -> Standing:
        """Follows the best from here on, told of every trial."""
        leaders = self.front or ([] if self.best is None else [self.best])
        return Standing(self.objective, leaders, self.reference)


@dataclass(frozen=True)
class End:
    """What is known after the last trial, when all files are written.

    Attributes:
        finished: trials, those of the resumed run included.
        best: the best trial, of several objectives by the first one; None without any.
        front: of several objectives, the trials that no other dominates.
        error: that the command ends with; None after the budget is spent, and after Ctrl-C.
        exhausted: whether the strategy has nothing more to propose, so that fewer trials than the budget are all.
    """

    finished: int
    best: Trial | None
    error: BaseException | None
    front: tuple[Trial, ...] = ()
    exhausted: bool = False


class Callback(Protocol):
    """The methods of a callback."""

    def on_start(self, start: Start) -> None:
        """Is called before the first trial."""

    def on_trial(self, trial: Trial) -> None:
        """Is called after each trial; with several workers, they do not finish in the order of their numbers."""

    def on_end(self, end: End) -> None:
        """Is called once after `on_start`, however the search ends, unless its process is killed."""


class Callbacks:
    """The callbacks of a search; a context manager around it.

    Args:
        callbacks: to call, by a name for messages.
        start: is told to them on entering.
        messages: where the failure of a callback is named.

    Attributes:
        exhausted: whether the strategy has nothing more to propose, to tell at the end.
    """

    def __init__(self, callbacks: Mapping[str, Callback], start: Start, messages: Console) -> None:
        self._callbacks = dict(callbacks)
        self._start = start
        self._messages = messages
        self.exhausted = False
        self._finished = start.finished
        self._standing = start.standing()

    def show(self, trial: Trial) -> None:
        """Tells them of a finished trial."""
        self._finished += 1
        self._standing.add(trial)
        self._tell(lambda callback: callback.on_trial(trial))

    def _tell(self, call: Callable[[Callback], None]) -> None:
        for name in list(self._callbacks):
            error = _failure(call, self._callbacks[name])
            if error is not None:
                del self._callbacks[name]
                self._messages.print(f"note: {name} failed and is left out: {in_words(error)}", markup=False)

    def __enter__(self) -> Callbacks:
        self._tell(lambda callback: callback.on_start(self._start))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        front = tuple(self._standing.leaders) if self._start.objective.is_front else ()
        end = End(self._finished, self._standing.best, error, front, self.exhausted)
        self._tell(lambda callback: callback.on_end(end))


def _failure(call: Callable[[Callback], None], callback: Callback) -> Exception | None:
    try:
        call(callback)
    except Exception as error:  # noqa: BLE001  foreign code, which may raise anything: the search has other business
        return error
    return None


class Watcher(Protocol):
    """Whoever is shown each trial."""

    def show(self, trial: Trial) -> None:
        """Takes a finished trial into account."""


class Watchers:
    """Several watchers as one."""

    def __init__(self, *watchers: Watcher) -> None:
        self._watchers = watchers

    def show(self, trial: Trial) -> None:
        """Shows a finished trial to each of them."""
        for watcher in self._watchers:
            watcher.show(trial)


def made(config: SearchConfig) -> dict[str, Callback]:
    """The callbacks that the options ask for, by their flag.

    Raises:
        InputError: if one cannot be made.
    """
    found: dict[str, Callback] = {}
    if config.tensorboard:
        from wrcor_ext.search.tensorboard import TensorBoard

        found["--tensorboard"] = TensorBoard()
    if config.callback is not None:
        found[f"--callback {config.callback}"] = _own(config.callback)
    return found


def watching(callbacks: Mapping[str, Callback], study: Study, messages: Console) -> Callbacks:
    """The callbacks of an opened study."""
    # All trials are read for the best.
    standing = study.standing() if callbacks else Standing(study.objective)
    config = study.config
    start = Start(
        folder=study.folder,
        objective=study.objective,
        config=config.saved(),
        environment=study.journal.record()["environment"],
        finished=study.resumed,
        best=standing.best,
        front=tuple(standing.leaders) if study.objective.is_front else (),
        reference=standing.reference,
    )
    return Callbacks(callbacks, start, messages)


_METHODS: Sequence[str] = ("on_start", "on_trial", "on_end")


def _own(reference: str) -> Callback:
    """The user's own, or what their class or function makes."""
    try:
        found = imports.load(reference)
    except InputError as error:
        raise InputError(f"--callback: {error}") from error
    if isinstance(found, type) or (callable(found) and not _is_callback(found)):
        try:
            found = found()
        except Exception as error:  # foreign code: whatever it raises, it made no callback
            raise InputError(f"--callback {reference}: cannot be made: {in_words(error)}") from error
    if not _is_callback(found):
        raise InputError(f"--callback {reference}: {type(found).__name__} has not the methods {', '.join(_METHODS)}")
    return found  # type: ignore[return-value]  # its methods are there


def _is_callback(found: object) -> bool:
    return all(callable(getattr(found, method, None)) for method in _METHODS)
