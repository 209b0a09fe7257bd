"""What the command prints at its end: the best candidates, where time went, and where everything is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from wrcor_ext.reporting import consoles, numbers
from wrcor_ext.reporting.costs import COSTS, text, title
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.exports import front_facts, leader_facts
from wrcor_ext.search.front import Front, shown_ranks
from wrcor_ext.search.refine import Leader
from wrcor_ext.search.study import Study
from wrcor_ext.search.timings import Timings

# Columns that an architecture needs to be readable beside its numbers.
ROOM = 40


def show(study: Study, leaders: Sequence[Leader], written: Sequence[Path], timings: Timings, *, as_json: bool) -> None:
    """Prints the summary to standard output."""
    if as_json:
        print(json.dumps(_facts(study, leaders, written, timings), indent=2))
        return
    console = consoles.output()
    if leaders:
        ranked = {rank: leaders[rank - 1] for rank in shown_ranks(len(leaders))}
        print_leaders(console, ranked, len(leaders), study.config)
    counts = study.journal.status_counts()
    total = sum(counts.values())
    parts = [
        f"{total} trials",
        *hypervolume(study.front()),
        *(f"{number} {status}" for status, number in counts.items() if status != "ok"),
    ]
    if cached := study.journal.cached():
        parts.append(f"{cached} from the cache")
    if timings.total:
        now = f"{total - study.resumed} of them now, " if study.resumed else ""
        parts.append(f"{now}in {numbers.duration(timings.total)}, {timings.bookkeeping:.1%} of it bookkeeping")
    console.print(", ".join(parts), markup=False)
    console.print(
        f"written to {study.folder}: {', '.join(path.name for path in written)}", markup=False, soft_wrap=True
    )


def print_leaders(console: Console, leaders: Mapping[int, Leader], count: int, config: SearchConfig) -> None:
    """Prints the best candidates with their scores and costs; their architectures beneath where the table is too wide.

    Args:
        console: where to.
        leaders: by rank.
        count: how many there are, of which these are shown.
        config: of the run.
    """
    numbers_only = _table(leaders, count, config, architectures=False)
    if console.width - console.measure(numbers_only).maximum >= ROOM:
        console.print(_table(leaders, count, config, architectures=True))
        return
    console.print(numbers_only)
    for rank, leader in leaders.items():
        console.print(f"{rank}: {leader.trial.architecture}", markup=False, highlight=False, soft_wrap=True)


def _table(leaders: Mapping[int, Leader], count: int, config: SearchConfig, *, architectures: bool) -> Table:
    objective, proxies = config.objective, config.members
    refined = objective.proxies if any(leader.repeats for leader in leaders.values()) else ()
    heading = f"{'front of' if objective.is_front else 'best'} {count} by {objective.name}"
    if len(leaders) < count:
        heading = f"{len(leaders)} of the {heading}"
    limited = [name for name in COSTS if getattr(config, f"max_{name}") is not None]
    costs = ["flops", "params", *limited, *(goal.label for goal in objective.goals if goal.is_cost)]
    costs = list(dict.fromkeys(costs))
    rows = Table(title=heading, title_justify="left")
    # In the place of the scores that they correct: both do not fit beside the architecture.
    scores = [f"mean {name}" if name in refined else name for name in proxies]
    for name in ("rank", "trial", *scores, *(["repeats"] if refined else []), *(COSTS[name].title for name in costs)):
        rows.add_column(name, justify="right", no_wrap=True)
    if architectures:
        rows.add_column("architecture", overflow="fold")
    for rank, leader in leaders.items():
        trial = leader.trial
        values = [
            numbers.score(leader.means.get(name), leader.standard_errors.get(name))
            if name in refined
            else numbers.score(trial.evaluation.scores[name])
            for name in proxies
        ]
        if refined:
            values.append(str(leader.repeats))
        values += [COSTS[name].text(trial.costs[name]) for name in costs]
        rows.add_row(str(rank), str(trial.trial), *values, *([trial.architecture] if architectures else []))
    return rows


def hypervolume(front: Front | None) -> list[str]:
    """The volume of a front in words, and what it is measured from; nothing of one objective, or without members."""
    if front is None or not len(front.trials):
        return []
    point = ", ".join(f"{title(name)} {text(name, value)}" for name, value in front.reference_point.items())
    return [f"hypervolume {numbers.short(front.volume, 4)} above {point}"]


def _best_facts(front: Front | None, leaders: Sequence[Leader]) -> dict[str, object]:
    return {"best": [leader_facts(leader) for leader in leaders]} if front is None else front_facts(front, leaders)


def _facts(study: Study, leaders: Sequence[Leader], written: Sequence[Path], timings: Timings) -> dict[str, object]:
    return {
        "out": str(study.folder),
        "files": [path.name for path in written],
        "trials": study.journal.count(),
        "resumed_after": study.resumed,
        "exhausted": study.journal.exhausted,
        "status": study.journal.status_counts(),
        "seen_before": study.journal.duplicates(),
        "cached": study.journal.cached(),
        **_best_facts(study.front(), leaders),
        "fingerprint": study.fingerprint(),
        "seconds": timings.seconds,
        "bookkeeping": timings.bookkeeping,
    }
