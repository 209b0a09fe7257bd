"""The content of the files that are derived from a journal, as bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from wrcor_ext.reporting import Candidate, Report
from wrcor_ext.search.config import DEFAULTS, NETWORK_OPTIONS, SearchConfig
from wrcor_ext.search.refine import Leader
from wrcor_ext.search.trial import Trial


def parquet(trials: Sequence[Trial], proxies: Sequence[str]) -> bytes:
    """All trials as a table, one row per trial and one column per proxy."""
    # Half a second of import that nobody should pay before a search has anything to write.
    import pyarrow as pa
    from pyarrow import parquet as pq

    evaluations = [trial.evaluation for trial in trials]
    columns: dict[str, tuple[list[Any], pa.DataType]] = {
        "trial": ([trial.trial for trial in trials], pa.int64()),
        "architecture": ([trial.architecture for trial in trials], pa.string()),
        "key": ([trial.key for trial in trials], pa.string()),
        "status": ([evaluation.status for evaluation in evaluations], pa.string()),
        **{name: ([evaluation.scores.get(name) for evaluation in evaluations], pa.float64()) for name in proxies},
        "flops": ([trial.flops for trial in trials], pa.int64()),
        "params": ([trial.params for trial in trials], pa.int64()),
        "seconds": ([evaluation.seconds for evaluation in evaluations], pa.float64()),
        "duplicate_of": ([trial.duplicate_of for trial in trials], pa.int64()),
        "reason": ([evaluation.reason for evaluation in evaluations], pa.string()),
    }
    table = pa.table({name: pa.array(values, kind) for name, (values, kind) in columns.items()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def best_json(leaders: Sequence[Leader]) -> bytes:
    """The best candidate: architecture, scores, cost, trial; after refining what that found, and the next ones too."""
    facts = leader_facts(leaders[0])
    if any(leader.repeats for leader in leaders):
        facts["runners_up"] = [leader_facts(leader) for leader in leaders[1:]]
    return (json.dumps(facts, indent=2) + "\n").encode()


def leader_facts(leader: Leader) -> dict[str, object]:
    """A candidate in JSON types."""
    trial = leader.trial
    facts: dict[str, object] = {
        "architecture": trial.architecture,
        "scores": dict(trial.evaluation.scores),
        "cost": None if trial.cost is None else {"flops": trial.cost.flops, "params": trial.cost.params},
        "trial": trial.trial,
    }
    if leader.repeats:
        facts["refined"] = {
            "mean": dict(leader.means),
            "standard_error": dict(leader.standard_errors),
            "repeats": leader.repeats,
        }
    return facts


def report(config: SearchConfig, record: Mapping[str, Any], trials: Sequence[Trial], best: Sequence[Trial]) -> bytes:
    """The HTML report."""
    objective = config.objective
    heights = objective.heights(trials)
    candidates = {trial.trial: _candidate(trial, height) for trial, height in zip(trials, heights, strict=True)}
    page = Report(
        title=f"{config.strategy} search of {config.space}",
        space=config.space,
        objective=objective.height_name,
        candidates=list(candidates.values()),
        best=[candidates[trial.trial] for trial in best],
        # What the space decides by itself says nothing, and most of these options belong to other spaces.
        configuration={
            name: value
            for name, value in config.saved().items()
            if not (name in NETWORK_OPTIONS and value == getattr(DEFAULTS, name))
        },
        environment=record["environment"],
    )
    return page.html().encode()


def _candidate(trial: Trial, objective: float | None) -> Candidate:
    evaluation = trial.evaluation
    return Candidate(
        trial=trial.trial,
        architecture=trial.architecture,
        status=evaluation.status,
        scores=evaluation.scores,
        objective=objective,
        flops=trial.flops,
        params=trial.params,
        seconds=evaluation.seconds,
        seen_before=trial.duplicate_of is not None,
        reason=evaluation.reason,
    )
