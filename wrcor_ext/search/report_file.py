"""The report of a run, from its journal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from wrcor_ext.reporting import Candidate, Candidates, Quantity, Report, Tradeoff
from wrcor_ext.reporting.costs import COSTS, title
from wrcor_ext.search.config import DEFAULTS, NETWORK_OPTIONS, SearchConfig
from wrcor_ext.search.environment import MERGED
from wrcor_ext.search.front import Front, shown_ranks, volumes
from wrcor_ext.search.pareto import Floats, Indices
from wrcor_ext.search.trial import Trial


def html(
    config: SearchConfig,
    record: Mapping[str, Any],
    trials: Callable[[], Iterable[Trial]],
    best: Sequence[Trial],
    front: Front | None = None,
    architecture: Callable[[int], str] | None = None,
) -> bytes:
    """The HTML report.

    Args:
        config: of the run.
        record: of the run.
        trials: all trials in order, from the first one on at each call.
        best: of them, best first; of several objectives all of the front.
        front: of several objectives.
        architecture: finds that of a trial by its number, so that not all have to be kept; None keeps them.
    """
    objective = config.objective
    numbers, table = objective.table(trials())
    # Numbers of Python take several times the memory of those in an array: not all at once.
    heights = map(_number, table[:, 0])
    places = np.searchsorted(numbers, [trial.trial for trial in best])
    by_rank = {rank: candidate(best[rank - 1], _number(table[places[rank - 1], 0])) for rank in shown_ranks(len(best))}
    page = Report(
        title=f"{config.strategy} search of {config.space}",
        state=_state(config, record, len(numbers)),
        space=config.space,
        objective=objective.height_name,
        candidates=Candidates.of(map(candidate, trials(), heights), architecture),
        best=by_rank,
        # What the space decides by itself says nothing, and most of these options belong to other spaces.
        configuration={
            name: value
            for name, value in config.saved().items()
            if not (name in NETWORK_OPTIONS and value == getattr(DEFAULTS, name))
        },
        environment=record["environment"],
        tradeoff=None if front is None else _tradeoff(front, table, places, best),
    )
    return page.html().encode()


def _number(height: np.float64) -> float | None:
    return None if math.isnan(height) else float(height)


def _state(config: SearchConfig, record: Mapping[str, Any], done: int) -> str:
    """How far a run is, what it looks for, and within which limits."""
    sentences, budget, environment = [], config.own_budget, record["environment"]
    if config.part is not None:
        sentences.append(f"Shard {config.part} of a search.")
    if done >= budget:
        sentences.append(f"Complete: {done} trials.")
    elif record.get("exhausted"):
        sentences.append(f"Complete after {done} of {budget} trials: the strategy has nothing more to propose.")
    else:
        sentences.append(f"Stopped after {done} of {budget} trials.")
    if MERGED in environment:
        sentences.append(f"Merged from {environment[MERGED]}.")
    if config.objective.is_front:
        for verb, sign in (("Maximises", 1), ("Minimises", -1)):
            goals = [title(goal.label) for goal in config.objective.goals if goal.sign == sign]
            sentences += [f"{verb} {', '.join(goals)}."] if goals else []
    limits = [(cost, config.saved().get(f"max_{name}")) for name, cost in COSTS.items()]
    bounds = [f"{cost.title} at most {cost.text(most)}" for cost, most in limits if most is not None]
    if bounds:
        sentences.append(f"Limits: {', '.join(bounds)}.")
    return " ".join(sentences)


def _tradeoff(front: Front, table: Floats, places: Indices, members: Sequence[Trial]) -> Tradeoff:
    """A front as reports see it.

    Args:
        front: of a run.
        table: of all its trials, as `Objective.table` has it.
        places: the rows of its members, in the order of the front.
        members: their trials.
    """
    quantities = [
        Quantity(goal.label, goal.sign * column, goal.sign, goal.is_cost)
        for goal, column in zip(front.objective.goals, table.T, strict=True)
    ]
    architectures = [trial.architecture for trial in members]
    return Tradeoff(quantities, places, architectures, volumes(table, front.reference), front.reference_point)


def candidate(trial: Trial, objective: float | None) -> Candidate:
    """A trial as reports see it; `objective` is its height in charts."""
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
        cached=evaluation.cached,
        memory=trial.memory,
        layers=trial.layers,
        latency=trial.latency,
    )
