"""The command `search compare RUN RUN...`: runs side by side, and their spread over seeds."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from wrcor_ext import cli
from wrcor_ext.errors import InputError
from wrcor_ext.reporting import consoles, numbers
from wrcor_ext.reporting.costs import text, title
from wrcor_ext.reporting.values import shown
from wrcor_ext.search import runs
from wrcor_ext.search.exports import leader_facts
from wrcor_ext.search.refine import Leader
from wrcor_ext.search.rival_fronts import Contest, Rival, contests
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
        cached: trials whose scores were known from other runs.
        seconds: wall time of scoring, added up over workers.
        objective: the proxy, vote or cost by which the best is the best; of several objectives the first one.
        best: the best candidate, of several objectives by the first one; None without a score.
        front: of several objectives, the front among those of the other runs.
    """

    folder: str
    options: Mapping[str, object]
    state: str
    trials: int
    counts: Mapping[str, int]
    seen_before: int
    cached: int
    seconds: float
    objective: str
    best: Leader | None
    front: Rival | None

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

    @property
    def quantities(self) -> tuple[str, ...]:
        """What there is to sum up."""
        return (*QUANTITIES, *OF_FRONTS) if any(row.front is not None for row in self.rows) else QUANTITIES

    def spread(self, quantity: str) -> Spread | None:
        """Of a quantity of `QUANTITIES` or `OF_FRONTS`; None where a run has none."""
        values = [_quantity(row, quantity) for row in self.rows]
        known = [value for value in values if value is not None]
        return Spread.over(known) if len(known) == len(values) else None


# `best` is a score; `flops` and `params` are of the best.
QUANTITIES = ("best", "flops", "params", "trials", "seconds")
OF_FRONTS = ("front_size", "hypervolume")


def main(argv: Sequence[str]) -> int:
    """Compares runs; returns the exit code 0.

    Raises:
        InputError: if there are fewer than two, or a folder holds none.
    """
    parser = cli.Parser(prog=COMMAND, description="Shows runs side by side, without changing them.")
    parser.add_argument("runs", metavar="RUN", nargs="+", help="run folders")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    words = parser.parse_args(argv)
    folders = list({Path(folder).resolve(): folder for folder in words.runs}.values())
    if len(folders) < 2:
        raise InputError(f"compare takes at least two different run folders, not {' '.join(words.runs)}")
    with ExitStack() as stack:
        opened = [stack.enter_context(runs.opened(Path(folder))) for folder in folders]
        fronts = contests(opened)
        rivals = {folder: rival for contest in fronts for folder, rival in contest.rivals.items()}
        rows = [_row(run, rivals.get(str(run.folder))) for run in opened]
    groups, different = grouped(rows), differing(rows)
    if words.json:
        print(json.dumps(_facts(rows, groups, fronts, different), indent=2))
    else:
        _print(rows, groups, fronts, different)
    return 0


def grouped(rows: Sequence[Row]) -> list[Group]:
    """The rows by all options but the seed, and those that change no trial: workers, threads and the like.

    Of several runs with the same seed, which are one search, the first counts.
    """
    found: dict[str, dict[object, Row]] = {}
    for row in rows:
        found.setdefault(json.dumps({**row.options, "seed": None}, sort_keys=True), {}).setdefault(
            row.options["seed"], row
        )
    return [Group(list(members.values())) for members in found.values()]


def differing(rows: Sequence[Row]) -> dict[str, list[object]]:
    """The options that are not the same in all runs, with their values in the order of the runs."""
    return {
        name: [row.options.get(name) for row in rows]
        for name in rows[0].options
        if any(row.options.get(name) != rows[0].options[name] for row in rows)
    }


def _row(run: Run, front: Rival | None) -> Row:
    journal = run.journal
    return Row(
        str(run.folder),
        {**run.config.identity(), "budget": run.config.budget},
        run.state,
        journal.count(),
        journal.status_counts(),
        journal.duplicates(),
        journal.cached(),
        journal.seconds(),
        run.config.objective.goals[0].label,
        next(iter(run.leaders(1)), None),
        front,
    )


def _quantity(row: Row, name: str) -> float | None:
    if name in ("trials", "seconds"):
        return float(getattr(row, name))
    if name == "best":
        return row.value
    if name in OF_FRONTS:
        return None if row.front is None else row.front.size if name == "front_size" else row.front.volume
    return None if row.best is None else getattr(row.best.trial, name)


def _facts(
    rows: Sequence[Row], groups: Sequence[Group], fronts: Sequence[Contest], different: Mapping[str, object]
) -> dict[str, object]:
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
                "cached": row.cached,
                "seconds": row.seconds,
                "best": None if row.best is None else leader_facts(row.best),
            }
            for row in rows
        ],
        "fronts": [_contest_facts(contest) for contest in fronts],
        "different_options": different,
        "seeds": [
            {
                "runs": [row.folder for row in group.rows],
                "seeds": group.seeds,
                **{name: _spread_facts(group.spread(name)) for name in group.quantities},
            }
            for group in groups
            if len(group.rows) > 1
        ],
    }


def _contest_facts(contest: Contest) -> dict[str, object]:
    return {
        "objectives": list(contest.objectives),
        "reference_point": contest.reference,
        "runs": [
            {
                "out": folder,
                "front_size": rival.size,
                "hypervolume": rival.volume,
                "unbeaten": rival.unbeaten,
                "shared": rival.shared,
            }
            for folder, rival in contest.rivals.items()
        ],
    }


def _spread_facts(spread: Spread | None) -> dict[str, float | None] | None:
    return None if spread is None else {"mean": spread.mean, "standard_deviation": spread.deviation}


def _print(
    rows: Sequence[Row], groups: Sequence[Group], fronts: Sequence[Contest], different: Mapping[str, list[object]]
) -> None:
    console = consoles.output()
    console.print(_run_table(rows))
    for contest in fronts:
        console.print(_front_table(contest))
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
    names = ("best", "by", "FLOPs", "parameters", "trials", "without score", "seen before", "from the cache")
    for name in (*names, "scoring time", "state"):
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
            str(row.cached),
            numbers.duration(row.seconds),
            row.state,
        )
    return table


def _front_table(contest: Contest) -> Table:
    point = ", ".join(f"{title(name)} {text(name, value)}" for name, value in contest.reference.items())
    comparable = any(rival.volume is not None for rival in contest.rivals.values())
    caption = f"hypervolumes above {point}" if comparable else "shares of a vote are of one run: no hypervolumes"
    heading = f"fronts by {', '.join(contest.objectives)}"
    table = Table(title=heading, title_justify="left", caption=caption, caption_justify="left")
    table.add_column("run", overflow="fold")
    for name in ("members", "hypervolume", "unbeaten by the others", "shared with others"):
        table.add_column(name, justify="right")
    for folder, rival in contest.rivals.items():
        counts = (numbers.count(rival.unbeaten), str(rival.shared))
        table.add_row(folder, str(rival.size), numbers.short(rival.volume, 4), *counts)
    return table


def _option_table(rows: Sequence[Row], different: Mapping[str, list[object]]) -> Table:
    table = Table(title="options that differ", title_justify="left")
    table.add_column("option")
    for row in rows:
        table.add_column(row.folder, overflow="fold")
    for name, values in different.items():
        table.add_row(name, *map(shown, values))
    return table


def _seed_table(groups: Sequence[Group]) -> Table:
    table = Table(title="over seeds: mean ± standard deviation", title_justify="left")
    table.add_column("runs", overflow="fold")
    fronts = any(row.front is not None for group in groups for row in group.rows)
    names = ("seeds", "best", "by", "FLOPs", "parameters", "trials", "scoring time")
    for name in (*names, *(("front", "hypervolume") if fronts else ())):
        table.add_column(name, justify="right")
    for group in groups:
        of_fronts = (
            _with_deviation(group.spread("front_size"), numbers.short),
            _with_deviation(group.spread("hypervolume"), lambda volume: numbers.short(volume, 4)),
        )
        table.add_row(
            ", ".join(row.folder for row in group.rows),
            ", ".join(map(str, group.seeds)),
            _score(group.spread("best")),
            group.rows[0].objective,
            *(_with_deviation(group.spread(name), numbers.short) for name in ("flops", "params", "trials")),
            _with_deviation(group.spread("seconds"), numbers.duration),
            *(of_fronts if fronts else ()),
        )
    return table


def _score(spread: Spread | None) -> str:
    return numbers.score(None) if spread is None else numbers.score(spread.mean, spread.deviation)


def _with_deviation(spread: Spread | None, text: Callable[[float], str]) -> str:
    if spread is None:
        return numbers.score(None)
    return text(spread.mean) if spread.deviation is None else f"{text(spread.mean)} ± {text(spread.deviation)}"
