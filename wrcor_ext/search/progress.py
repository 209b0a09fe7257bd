"""The live display: how far, how fast, how good, how long still. Silent when it is not shown on a terminal."""

from __future__ import annotations

from types import TracebackType

from rich import progress as rich_progress
from rich.console import Console
from rich.text import Text

from wrcor_ext.reporting import numbers
from wrcor_ext.search.front import Standing
from wrcor_ext.search.trial import Trial

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
        standing: the best so far, of what is maximised.
    """

    def __init__(self, console: Console, *, budget: int, done: int, standing: Standing) -> None:
        self._standing = standing
        self._objective = standing.objective
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
        if self._bar.disable:
            return
        self._without_score += self._objective.values(trial) is None
        self._standing.add(trial)
        self._duplicates += trial.duplicate_of is not None
        self._cached += trial.evaluation.cached
        self._bar.update(self._task, advance=1, best=self._best_text(), counts=self._counts_text())

    def _best_text(self) -> str:
        best = self._standing.best
        if best is None:
            return f"no {self._objective.name} yet"
        if self._objective.is_front:
            volume = self._standing.volume
            front = f"front of {len(self._standing.leaders)}"
            return front if volume is None else f"{front}, hypervolume {volume:.4g}"
        height = self._standing.height
        if height is None:  # a vote has no number of its own
            return f"best by {self._objective.name}: trial {best.trial}"
        return f"best {self._objective.name} {numbers.score(height)}"

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
