"""The content of the files that are derived from a journal, as bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import BinaryIO

from wrcor_ext.search.front import Front
from wrcor_ext.search.refine import Leader
from wrcor_ext.search.trial import Trial

# Rows of a table that are made at a time: a run may have a million.
BATCH = 20_000


def parquet(file: BinaryIO, trials: Iterable[Trial], proxies: Sequence[str], front: Front | None = None) -> None:
    """Writes all trials as a table: one row per trial, one column per proxy, and one that says who is on the front."""
    # Half a second of import that nobody should pay before a search has anything to write.
    import pyarrow as pa
    from pyarrow import parquet as pq

    schema = pa.schema(
        [
            ("trial", pa.int64()),
            ("architecture", pa.string()),
            ("key", pa.string()),
            ("status", pa.string()),
            *((name, pa.float64()) for name in proxies),
            ("flops", pa.int64()),
            ("params", pa.int64()),
            ("memory", pa.int64()),
            ("layers", pa.int64()),
            ("latency", pa.float64()),
            ("seconds", pa.float64()),
            ("duplicate_of", pa.int64()),
            ("cached", pa.bool_()),
            ("reason", pa.string()),
            *([("front", pa.bool_())] if front is not None else []),
        ]
    )
    on_front = None if front is None else frozenset(front.trials.tolist())
    rows = iter(trials)
    with pq.ParquetWriter(file, schema) as writer:
        while batch := list(islice(rows, BATCH)):
            columns = [
                pa.array(column, kind.type)
                for column, kind in zip(_columns(batch, proxies, on_front), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _columns(
    trials: Sequence[Trial], proxies: Sequence[str], on_front: frozenset[int] | None
) -> Iterator[list[object]]:
    """The columns of the table, in its order."""
    evaluations = [trial.evaluation for trial in trials]
    yield [trial.trial for trial in trials]
    yield [trial.architecture for trial in trials]
    yield [trial.key for trial in trials]
    yield [evaluation.status for evaluation in evaluations]
    for name in proxies:
        yield [evaluation.scores.get(name) for evaluation in evaluations]
    yield [trial.flops for trial in trials]
    yield [trial.params for trial in trials]
    yield [trial.memory for trial in trials]
    yield [trial.layers for trial in trials]
    yield [trial.latency for trial in trials]
    yield [evaluation.seconds for evaluation in evaluations]
    yield [trial.duplicate_of for trial in trials]
    yield [evaluation.cached for evaluation in evaluations]
    yield [evaluation.reason for evaluation in evaluations]
    if on_front is not None:
        yield [trial.trial in on_front for trial in trials]


def best_json(leaders: Sequence[Leader], front: Front | None = None) -> bytes:
    """The best candidate: architecture, scores, cost, trial; after refining what that found, and the next ones too.

    Of several objectives the front and how much it dominates.
    """
    facts = leader_facts(leaders[0]) if front is None else front_facts(front, leaders)
    if any(leader.repeats for leader in leaders):
        facts["runners_up"] = [leader_facts(leader) for leader in leaders[1:]]
    return (json.dumps(facts, indent=2) + "\n").encode()


def front_facts(front: Front, leaders: Sequence[Leader]) -> dict[str, object]:
    """A front in JSON types.

    Args:
        front: of a run.
        leaders: its candidates, or the first ones.
    """
    return {
        "objectives": [goal.name for goal in front.objective.goals],
        "hypervolume": front.volume,
        "reference_point": front.reference_point,
        "front": [leader_facts(one) for one in leaders],
    }


def leader_facts(leader: Leader) -> dict[str, object]:
    """A candidate in JSON types."""
    trial = leader.trial
    facts: dict[str, object] = {
        "architecture": trial.architecture,
        "scores": dict(trial.evaluation.scores),
        "cost": None if trial.cost is None else _known({**asdict(trial.cost), "latency": trial.latency}),
        "trial": trial.trial,
    }
    if leader.repeats:
        facts["refined"] = {
            "mean": dict(leader.means),
            "standard_error": dict(leader.standard_errors),
            "repeats": leader.repeats,
        }
    return facts


def _known(facts: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value is not None}
