"""The command `search compare RUN RUN...`: runs side by side, and their spread over seeds."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from wrcor_ext import cli
from wrcor_ext.errors import InputError
from wrcor_ext.reporting import consoles, numbers
from wrcor_ext.search import runs, summary
from wrcor_ext.search.exports import leader_facts
from wrcor_ext.search.refine import Leader
from wrcor_ext.search.runs import Run

COMMAND = "python -m wrcor_ext.search compare"


@dataclass(frozen=True)
class Row:
    """One run.

    Attributes:
        folder: of the run.
        options: all of its options.
        state: as of `runs.Run`.
        trials: that are finished.
        counts: of trials by status.
        seen_before: trials whose scores were taken over from isomorphic ones.
        seconds: wall time of scoring, added up over workers.
        best: the best candidate; None without a score.
    """

    folder: str
    options: Mapping[str, object]
    state: str
    trials: int
    counts: Mapping[str, int]
    seen_before: int
    seconds: float
    best: Leader | None

    @property
    def objective(self) -> str:
        """Name of the proxy or vote that ranks."""
        proxies = self.options["proxies"]
        return str(proxies[0] if isinstance(proxies, list) else proxies)

    @property
    def value(self) -> float | None:
        """Score of the best; None without one, and for a vote, which has no number of its own."""
        return None if self.best is None else self.best.means.get(self.objective)


@dataclass(frozen=True)
class Spread:
    """A number over several seeds: its mean, and the standard deviation of one seed; None over a single one."""

    mean: float
    deviation: float | None

    @classmethod
    def over(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class Group:
    """Runs that differ in the seed alone."""

    rows: Sequence[Row]

    @property
    def seeds(self) -> list[object]:
        """In the order of the runs."""
        return [row.options["seed"] for row in self.rows]

    def spread(self, quantity: str) -> Spread | None:
        """Of `best` (score), `flops` and `params` (of the best), `trials` or `seconds`; None where a run has none."""
        values = [_quantity(row, quantity) for row in self.rows]
        known = [value for value in values if value is not None]
        return Spread.over(known) if len(known) == len(values) else None


QUANTITIES = ("best", "flops", "params", "trials", "seconds")


def main(argv: Sequence[str]) -> int:
    """Compares runs; returns the exit code 0.

    Raises:
        InputError: if there are fewer than two, or a folder holds none.
    """
    parser = cli.Parser(prog=COMMAND, description="Shows runs side by side, without changing them.")
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run folders")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    words = parser.parse_args(argv)
    folders = list(dict.fromkeys(words.runs))
    if len(folders) < 2:
        raise InputError(f"compare takes at least two different run folders, not {' '.join(words.runs)}")
    rows = []
    for folder in folders:
        with runs.opened(Path(folder)) as run:
            rows.append(_row(run))
    groups, different = grouped(rows), differing(rows)
    if words.json:
        print(json.dumps(_facts(rows, groups, different), indent=2))
    else:
        _print(rows, groups, different)
    return 0


def grouped(rows: Sequence[Row]) -> list[Group]:
    """The rows by all options but the seed, and those that change no trial: workers, threads and the like."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(json.dumps({**row.options, "seed": None}, sort_keys=True), []).append(row)
    return [Group(members) for members in found.values()]


def differing(rows: Sequence[Row]) -> dict[str, list[object]]:
    """The options that are not the same in all runs, with their values in the order of the runs."""
    return {
        name: [row.options.get(name) for row in rows]
        for name in rows[0].options
        if any(row.options.get(name) != rows[0].options[name] for row in rows)
    }


def _row(run: Run) -> Row:
    journal = run.journal
    return Row(
        str(run.folder),
        {**run.config.identity(), "budget": run.config.budget},
        run.state,
        journal.count(),
        journal.status_counts(),
        journal.duplicates(),
        journal.seconds(),
        next(iter(run.leaders(1)), None),
    )


def _quantity(row: Row, name: str) -> float | None:
    if name in ("trials", "seconds"):
        return float(getattr(row, name))
    if name == "best":
        return row.value
    return None if row.best is None else getattr(row.best.trial, name)


def _facts(rows: Sequence[Row], groups: Sequence[Group], different: Mapping[str, object]) -> dict[str, object]:
    return {
        "runs": [
            {
                "out": row.folder,
                "state": row.state,
                "seed": row.options["seed"],
                "objective": row.objective,
                "trials": row.trials,
                "status": row.counts,
                "seen_before": row.seen_before,
                "seconds": row.seconds,
                "best": None if row.best is None else leader_facts(row.best),
            }
            for row in rows
        ],
        "different_options": different,
        "seeds": [
            {
                "runs": [row.folder for row in group.rows],
                "seeds": group.seeds,
                **{name: _spread_facts(group.spread(name)) for name in QUANTITIES},
            }
            for group in groups
            if len(group.rows) > 1
        ],
    }


def _spread_facts(spread: Spread | None) -> dict[str, float | None] | None:
    return None if spread is None else {"mean": spread.mean, "standard_deviation": spread.deviation}


def _print(rows: Sequence[Row], groups: Sequence[Group], different: Mapping[str, list[object]]) -> None:
    console = consoles.output()
    console.print(_run_table(rows))
    if different:
        console.print(_option_table(rows, different))
    several = [group for group in groups if len(group.rows) > 1]
    if several:
        console.print(_seed_table(several))
    if not different:
        console.print("the options that decide the trials are the same in all runs")


def _run_table(rows: Sequence[Row]) -> Table:
    table = Table(title=f"{len(rows)} runs", title_justify="left")
    table.add_column("run", overflow="fold")
    names = ["best", "by", "FLOPs", "parameters", "trials", "without score", "seen before", "scoring time", "state"]
    for name in names:
        table.add_column(name, justify="right")
    for row in rows:
        trial = None if row.best is None else row.best.trial
        table.add_row(
            row.folder,
            numbers.score(row.value),
            row.objective,
            numbers.short(None if trial is None else trial.flops),
            numbers.short(None if trial is None else trial.params),
            str(row.trials),
            str(row.trials - row.counts.get("ok", 0)),
            str(row.seen_before),
            numbers.duration(row.seconds),
            row.state,
        )
    return table


def _option_table(rows: Sequence[Row], different: Mapping[str, list[object]]) -> Table:
    table = Table(title="options that differ", title_justify="left")
    table.add_column("option")
    for row in rows:
        table.add_column(row.folder, overflow="fold")
    for name, values in different.items():
        table.add_row(name, *map(summary.shown, values))
    return table


def _seed_table(groups: Sequence[Group]) -> Table:
    table = Table(title="over seeds: mean ± standard deviation", title_justify="left")
    table.add_column("runs", overflow="fold")
    for name in ("seeds", "best", "by", "FLOPs", "parameters", "trials", "scoring time"):
        table.add_column(name, justify="right")
    for group in groups:
        table.add_row(
            ", ".join(row.folder for row in group.rows),
            ", ".join(map(str, group.seeds)),
            _score(group.spread("best")),
            group.rows[0].objective,
            *(_with_deviation(group.spread(name), numbers.short) for name in ("flops", "params", "trials")),
            _with_deviation(group.spread("seconds"), numbers.duration),
        )
    return table


def _score(spread: Spread | None) -> str:
    return numbers.score(None) if spread is None else numbers.score(spread.mean, spread.deviation)


def _with_deviation(spread: Spread | None, text: Callable[[float], str]) -> str:
    if spread is None:
        return numbers.score(None)
    return text(spread.mean) if spread.deviation is None else f"{text(spread.mean)} ± {text(spread.deviation)}"
