"""The live display: how far, how fast, how good, how long still. Silent when it is not shown on a terminal."""

from __future__ import annotations

from types import TracebackType

from rich import progress as rich_progress
from rich.console import Console
from rich.text import Text

from wrcor_ext.reporting import numbers
from wrcor_ext.search.callbacks import better
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.trial import Trial
from wrcor_ext.strategies import Values

# Columns of a terminal that has room for the counts of special trials beside the rest.
WIDE = 110


class _RateColumn(rich_progress.ProgressColumn):
    """Trials per second, or seconds per trial where that is the number that reads better."""

    def render(self, task: rich_progress.Task) -> Text:
        """The rate over the last trials."""
        speed = task.speed
        if not speed:
            return Text("-- /s", style="progress.data.speed")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each", style="progress.data.speed")


class Progress:
    """A context manager around the search loop.

    Args:
        console: where to draw; nothing is drawn unless it is a terminal.
        budget: number of trials.
        done: trials of the resumed run.
        best: the best trial so far.
        objective: what is maximised; a vote is held between the best so far and each newcomer.
    """

    def __init__(self, console: Console, *, budget: int, done: int, best: Trial | None, objective: Objective) -> None:
        self._best = best
        self._objective = objective
        self._duplicates = self._cached = self._without_score = 0
        columns: list[rich_progress.ProgressColumn] = [
            rich_progress.MofNCompleteColumn(),
            rich_progress.BarColumn(bar_width=16),
            _RateColumn(),
            rich_progress.TextColumn("{task.fields[best]}"),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("left"),
        ]
        if console.width >= WIDE:
            columns.append(rich_progress.TextColumn("{task.fields[counts]}"))
        self._bar = rich_progress.Progress(
            *columns,
            console=console,
            disable=not console.is_terminal,
            transient=True,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task("", total=budget, completed=done, best=self._best_text(), counts="")

    def show(self, trial: Trial) -> None:
        """Takes a finished trial into account."""
        self._without_score += self._objective.values(trial.evaluation.scores) is None
        self._best = better(self._objective, self._best, trial)
        self._duplicates += trial.duplicate_of is not None
        self._cached += trial.evaluation.cached
        self._bar.update(self._task, advance=1, best=self._best_text(), counts=self._counts_text())

    def _best_text(self) -> str:
        if self._best is None:
            return f"no {self._objective.name} yet"
        values = self._best_values()
        if values is None or self._objective.method is not None:  # a vote has no number of its own
            return f"best by {self._objective.name}: trial {self._best.trial}"
        return f"best {self._objective.name} {numbers.score(values[0])}"

    def _best_values(self) -> Values | None:
        return None if self._best is None else self._objective.values(self._best.evaluation.scores)

    def _counts_text(self) -> str:
        counts = (
            (self._duplicates, "seen before"), (self._cached, "from the cache"), (self._without_score, "without score")
        )  # fmt: skip
        shown = ", ".join(f"{count} {what}" for count, what in counts if count)
        return f"({shown})" if shown else ""

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()
