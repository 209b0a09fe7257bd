"""What the command prints at its end: the best candidates, where time went, and where everything is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from wrcor_ext.reporting import consoles, numbers
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.exports import front_facts, leader_facts
from wrcor_ext.search.front import Front, shown_ranks
from wrcor_ext.search.refine import Leader
from wrcor_ext.search.study import Study
from wrcor_ext.search.timings import Timings


def show(study: Study, leaders: Sequence[Leader], written: Sequence[Path], timings: Timings, *, as_json: bool) -> None:
    """Prints the summary to standard output."""
    if as_json:
        print(json.dumps(_facts(study, leaders, written, timings), indent=2))
        return
    console = consoles.output()
    if leaders:
        console.print(table(leaders, study.config))
    counts = study.journal.status_counts()
    total = sum(counts.values())
    parts = [f"{total} trials", *(f"{number} {status}" for status, number in counts.items() if status != "ok")]
    if cached := study.journal.cached():
        parts.append(f"{cached} from the cache")
    if timings.total:
        now = f"{total - study.resumed} of them now, " if study.resumed else ""
        parts.append(f"{now}in {numbers.duration(timings.total)}, {timings.bookkeeping:.1%} of it bookkeeping")
    console.print(", ".join(parts), markup=False)
    console.print(
        f"written to {study.folder}: {', '.join(path.name for path in written)}", markup=False, soft_wrap=True
    )


def table(leaders: Sequence[Leader], config: SearchConfig) -> Table:
    """The best candidates with their scores and costs."""
    objective, proxies = config.objective, config.members
    refined = objective.proxies if any(leader.repeats for leader in leaders) else ()
    ranks = shown_ranks(len(leaders))
    title = f"{'front of' if objective.is_front else 'best'} {len(leaders)} by {objective.name}"
    if len(ranks) < len(leaders):
        title = f"{len(ranks)} of the {title}"
    further = [goal.label for goal in objective.goals if goal.is_cost and goal.label not in ("flops", "params")]
    rows = Table(title=title, title_justify="left")
    # In the place of the scores that they correct: both do not fit beside the architecture.
    scores = [f"mean {name}" if name in refined else name for name in proxies]
    for name in ("rank", "trial", *scores, *(["repeats"] if refined else []), "FLOPs", "parameters", *further):
        rows.add_column(name, justify="right", no_wrap=True)
    rows.add_column("architecture", overflow="fold")
    for rank in ranks:
        leader = leaders[rank - 1]
        trial = leader.trial
        values = [
            numbers.score(leader.means.get(name), leader.standard_errors.get(name))
            if name in refined
            else numbers.score(trial.evaluation.scores[name])
            for name in proxies
        ]
        if refined:
            values.append(str(leader.repeats))
        cost = [numbers.short(trial.flops), numbers.short(trial.params)]
        cost += [numbers.short(trial.costs[name]) for name in further]
        rows.add_row(str(rank), str(trial.trial), *values, *cost, trial.architecture)
    return rows


def shown(value: object) -> str:
    """The value of an option for people."""
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return "none" if value is None else str(value)


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
