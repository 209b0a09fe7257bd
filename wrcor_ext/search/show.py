"""The command `search show RUN`: what a run has found so far. It may still be running, and is left as it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from wrcor_ext import cli
from wrcor_ext.options import whole
from wrcor_ext.reporting import consoles, numbers
from wrcor_ext.reporting.values import shown
from wrcor_ext.search import runs, summary
from wrcor_ext.search.config import DEFAULTS
from wrcor_ext.search.environment import MERGED
from wrcor_ext.search.exports import front_facts, leader_facts
from wrcor_ext.search.runs import Run
from wrcor_ext.search.words import number

COMMAND = "python -m wrcor_ext.search show"


def main(argv: Sequence[str]) -> int:
    """Shows a run; returns the exit code 0.

    Raises:
        InputError: if there is no run, or for an option that is not allowed.
    """
    parser = cli.Parser(prog=COMMAND, description="Shows what a run has found so far, without changing it.")
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument(
        "--top", default="5", metavar="N", help="how many of the best, or of the front, to show (default: 5)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    words = parser.parse_args(argv)
    top = number("--top", words.top, whole(1))
    with runs.opened(Path(words.run)) as run:
        if words.json:
            print(json.dumps(facts(run, top), indent=2))
        else:
            _print(run, top)
    return 0


def facts(run: Run, top: int) -> dict[str, object]:
    """A run in JSON types."""
    return {
        "out": str(run.folder),
        "state": run.state,
        "trials": run.journal.count(),
        "budget": run.config.own_budget,
        "status": run.journal.status_counts(),
        "seen_before": run.journal.duplicates(),
        "cached": run.journal.cached(),
        "seconds": run.journal.seconds(),
        "reasons": run.journal.reasons(),
        **_best_facts(run, top),
        "options": changed(run),
        "environment": run.environment,
    }


def _best_facts(run: Run, top: int) -> dict[str, object]:
    shown = run.shown(top)
    if run.front is None:
        return {"best": [leader_facts(one) for one in shown.values()]}
    facts = front_facts(run.front, list(shown.values()))
    members = [{"rank": rank, **leader_facts(one)} for rank, one in shown.items()]
    return {**facts, "front_size": len(run.front.trials), "front": members}


def changed(run: Run) -> dict[str, object]:
    """The options that are not the defaults."""
    usual = DEFAULTS.saved()
    return {name: value for name, value in run.config.saved().items() if value != usual[name]}


def _print(run: Run, top: int) -> None:
    console = consoles.output()
    journal, config = run.journal, run.config
    merged = f", merged from {run.environment[MERGED]}" if MERGED in run.environment else ""
    progress = f"{journal.count()} of {config.own_budget} trials"
    console.print(f"{run.folder}: {run.state}, {progress}{merged}", markup=False, soft_wrap=True)
    leaders = run.shown(top)
    if leaders:
        count = len(leaders) if run.front is None else len(run.front.trials)
        summary.print_leaders(console, leaders, count, config)
        for sentence in summary.hypervolume(run.front):
            console.print(sentence, markup=False)
    counts = [f"{count} {status}" for status, count in journal.status_counts().items()]
    parts = [*counts, f"{journal.duplicates()} seen before"]
    if cached := journal.cached():
        parts.append(f"{cached} from the cache")
    parts.append(f"scored in {numbers.duration(journal.seconds())}")
    console.print(", ".join(parts), markup=False)
    for reason, count in journal.reasons().items():
        console.print(f"{count} times: {reason}", markup=False, soft_wrap=True)
    given = ", ".join(f"{name} {shown(value)}" for name, value in changed(run).items())
    console.print(f"options: {given or 'the defaults'}", markup=False, soft_wrap=True)
