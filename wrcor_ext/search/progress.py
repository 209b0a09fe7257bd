"""The live display: how far, how fast, how good, how long still. Silent when it is not shown on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from rich import progress as rich_progress
from rich.console import Console, RenderableType
from rich.text import Text

from wrcor_ext.reporting import numbers
from wrcor_ext.search.front import Standing
from wrcor_ext.search.trial import Trial

# Columns of a terminal that has room for a bar beside the numbers, and for the best as well.
BAR = 60
WIDE = 100


class _RateColumn(rich_progress.ProgressColumn):
    """Trials per second, or seconds per trial where that is the number that reads better."""

    def render(self, task: rich_progress.Task) -> Text:
        """The rate over the last trials."""
        speed = task.speed
        if not speed:
            return Text("-- /s", style="progress.data.speed")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each", style="progress.data.speed")


class _Display(rich_progress.Progress):
    """One line that says how far, and one below for what else there is to say."""

    def get_renderables(self) -> Iterator[RenderableType]:
        """Both lines; neither is folded."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            if task.fields["below"]:
                yield Text(task.fields["below"], no_wrap=True, overflow="ellipsis")


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
        self._duplicates = self._cached = self._degenerate = self._failed = 0
        self._is_wide = console.width >= WIDE
        columns: list[rich_progress.ProgressColumn] = [
            rich_progress.MofNCompleteColumn(),
            *([rich_progress.BarColumn(bar_width=16)] if console.width >= BAR else []),
            _RateColumn(),
            *([rich_progress.TextColumn("{task.fields[best]}")] if self._is_wide else []),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("left"),
        ]
        self._bar = _Display(
            *columns,
            console=console,
            disable=not console.is_terminal,
            transient=True,
            refresh_per_second=4,
        )
        best = self._best_text()
        self._task = self._bar.add_task("", total=budget, completed=done, best=best, below=self._below_text(best))

    def show(self, trial: Trial) -> None:
        """Takes a finished trial into account."""
        if self._bar.disable:
            return
        self._standing.add(trial)
        self._degenerate += trial.evaluation.status == "degenerate"
        self._failed += trial.evaluation.status == "failed"
        self._duplicates += trial.duplicate_of is not None
        self._cached += trial.evaluation.cached
        best = self._best_text()
        self._bar.update(self._task, advance=1, best=best, below=self._below_text(best))

    def _best_text(self) -> str:
        best = self._standing.best
        if best is None:
            return f"no {self._objective.name} yet"
        if self._objective.is_front:
            volume = self._standing.volume
            front = f"front of {len(self._standing.leaders)}"
            return front if volume is None else f"{front}, hypervolume {numbers.short(volume, 4)}"
        height = self._standing.height
        if height is None:  # a vote has no number of its own
            return f"best by {self._objective.name}: trial {best.trial}"
        return f"best {self._objective.name} {numbers.score(height)}"

    def _below_text(self, best: str) -> str:
        counts = (
            (self._failed, "failed"),
            (self._degenerate, "degenerate"),
            (self._cached, "from the cache"),
            (self._duplicates, "seen before"),
        )
        below = [f"{count} {what}" for count, what in counts if count]
        return ", ".join(below if self._is_wide else [best, *below])

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()
