"""What the command prints at its end: the best candidates, where time went, and where everything is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from wrcor_ext.reporting import consoles, numbers
from wrcor_ext.search.exports import trial_facts
from wrcor_ext.search.study import Study
from wrcor_ext.search.timings import Timings
from wrcor_ext.search.trial import Trial


def show(study: Study, written: Sequence[Path], timings: Timings, *, as_json: bool) -> None:
    """Prints the summary to standard output."""
    if as_json:
        print(json.dumps(_facts(study, written, timings), indent=2))
        return
    console = consoles.output()
    best = study.journal.best(5)
    if best:
        console.print(_table(best, study.config.proxies))
    counts = study.journal.status_counts()
    total = sum(counts.values())
    parts = [f"{total} trials", *(f"{number} {status}" for status, number in counts.items() if status != "ok")]
    if timings.total:
        now = f"{total - study.resumed} of them now, " if study.resumed else ""
        parts.append(f"{now}in {numbers.duration(timings.total)}, {timings.bookkeeping:.1%} of it bookkeeping")
    console.print(", ".join(parts), markup=False)
    console.print(
        f"written to {study.folder}: {', '.join(path.name for path in written)}", markup=False, soft_wrap=True
    )


def _table(best: Sequence[Trial], proxies: Sequence[str]) -> Table:
    table = Table(title=f"best {len(best)} by {proxies[0]}", title_justify="left")
    for name in ("rank", "trial", *proxies, "FLOPs", "parameters"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("architecture", overflow="fold")
    for rank, trial in enumerate(best, start=1):
        values = [numbers.score(trial.evaluation.scores[name]) for name in proxies]
        cost = (numbers.short(trial.flops), numbers.short(trial.params))
        table.add_row(str(rank), str(trial.trial), *values, *cost, trial.architecture)
    return table


def _facts(study: Study, written: Sequence[Path], timings: Timings) -> dict[str, object]:
    return {
        "out": str(study.folder),
        "files": [path.name for path in written],
        "trials": study.journal.count(),
        "resumed_after": study.resumed,
        "status": study.journal.status_counts(),
        "best": [trial_facts(trial) for trial in study.journal.best(5)],
        "fingerprint": study.fingerprint(),
        "seconds": timings.seconds,
        "bookkeeping": timings.bookkeeping,
    }
