"""Scored models in order: the best first, those without a score last, with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from wrcor_ext import proxies, votes
from wrcor_ext.reporting import numbers
from wrcor_ext.results import STATUSES, Status
from wrcor_ext.spaces import Cost
from wrcor_ext.votes import Vote

# Many proxies must not leave the names of the models without room.
MODEL_WIDTH = 16


@dataclass(frozen=True)
class Scored:
    """One model and what became of it.

    Attributes:
        model: its specification.
        statuses: by proxy name, the worst of all repeats.
        scores: mean over the repeats by proxy name, None unless all are ok.
        errors: standard error of that mean, None where there is none.
        seconds: wall time of scoring.
        cost: multiply-adds of one image and parameters; None where they cannot be counted.
        reason: what went wrong, for whatever proxy; None if nothing did.
    """

    model: str
    statuses: Mapping[str, Status]
    scores: Mapping[str, float | None]
    errors: Mapping[str, float | None]
    seconds: float
    cost: Cost | None
    reason: str | None = None


@dataclass(frozen=True)
class Row:
    """A model in its place.

    Attributes:
        rank: from 1; None without a score to rank by. A vote gives equals the same rank.
        status: of what ranks.
        scored: the model.
        scores: what `scored` has, and what votes counted: first all that was asked for, then who else voted.
    """

    rank: int | None
    status: Status
    scored: Scored
    scores: Mapping[str, float | None]


@dataclass(frozen=True)
class Ranking:
    """Models in order.

    Attributes:
        rows: the best first, those without a score last; of equals the first given.
        circles: by vote, models that beat each other in a circle, which their Copeland scores decided.
    """

    rows: Sequence[Row]
    circles: Mapping[str, Sequence[Sequence[str]]]


def ranked(models: Sequence[Scored], by: Sequence[str]) -> Ranking:
    """Models in the order of the first of `by`, a vote or a proxy in the direction that it has.

    Args:
        models: what to rank; they have scores of all proxies that take part.
        by: canonical names of proxies and votes.
    """
    polls = {name: one for name in by if isinstance(one := votes.lookup(name), Vote)}
    # A vote over one model, all that Ctrl-C may have left, says nothing.
    outcomes = {name: votes.vote(poll, [m.scores for m in models]) for name, poll in polls.items() if len(models) > 1}
    if by[0] not in polls:
        ranks = _ranks_by_score(models, by[0])
    elif by[0] in outcomes:
        ranks = outcomes[by[0]].ranks
    else:
        ranks = (None,) * len(models)
    deciding = polls[by[0]].proxies if by[0] in polls else by[:1]
    rows = []
    for place, model in enumerate(models):
        counted = {name: outcome.values[place] for name, outcome in outcomes.items()}
        scores = {name: counted.get(name) if name in polls else model.scores[name] for name in by}
        status = "ok" if ranks[place] else _status_without_rank(model, deciding)
        rows.append(Row(ranks[place], status, model, {**scores, **model.scores}))
    rows.sort(key=lambda row: (row.rank or len(models) + 1, STATUSES.index(row.status)))
    circles = {
        name: [[models[place].model for place in cycle] for cycle in outcome.cycles]
        for name, outcome in outcomes.items()
        if outcome.cycles
    }
    return Ranking(rows, circles)


def _ranks_by_score(models: Sequence[Scored], name: str) -> tuple[int | None, ...]:
    direction = 1 if proxies.get(name).higher_is_better else -1
    values = {place: score for place, model in enumerate(models) if (score := model.scores[name]) is not None}
    in_order = sorted(values, key=lambda place: -direction * values[place])
    ranks = {place: rank for rank, place in enumerate(in_order, start=1)}
    return tuple(ranks.get(place) for place in range(len(models)))


def _status_without_rank(model: Scored, names: Sequence[str]) -> Status:
    worst = max((model.statuses[name] for name in names), key=STATUSES.index)
    return "degenerate" if worst == "ok" else worst


def table(ranking: Ranking, title: str) -> Table:
    """The ranking for people."""
    rows = ranking.rows
    drawn = Table(title=title, title_justify="left")
    drawn.add_column("rank", justify="right", no_wrap=True, min_width=4)
    drawn.add_column("model", overflow="fold", min_width=MODEL_WIDTH)
    names = list(rows[0].scores) if rows else []
    for name in (*names, "FLOPs", "parameters", "seconds"):
        drawn.add_column(name, justify="right", no_wrap=True)
    with_reasons = any(row.scored.reason for row in rows)
    if with_reasons:
        drawn.add_column("reason", overflow="fold")
    for row in rows:
        scored = row.scored
        # Text, not str: the reason and the name may hold brackets, which rich takes for markup.
        cells = [Text(numbers.short(row.rank) if row.rank is None else str(row.rank)), Text(scored.model)]
        for place, (name, value) in enumerate(row.scores.items()):
            missing = row.status if place == 0 else numbers.score(None)
            known = numbers.score(value, scored.errors.get(name))
            cells.append(Text(missing, style="yellow") if value is None else Text(known))
        cost = (None, None) if scored.cost is None else (scored.cost.flops, scored.cost.params)
        cells += [Text(numbers.short(number)) for number in cost]
        cells.append(Text(f"{scored.seconds:.2f}"))
        if with_reasons:
            cells.append(Text(scored.reason or ""))
        drawn.add_row(*cells)
    return drawn


def facts(ranking: Ranking) -> list[dict[str, object]]:
    """The ranking in JSON types."""
    return [
        {
            "rank": row.rank,
            "model": row.scored.model,
            "status": row.status,
            "scores": dict(row.scores),
            "standard_errors": dict(row.scored.errors),
            "cost": None if row.scored.cost is None else dataclasses.asdict(row.scored.cost),
            "seconds": row.scored.seconds,
            "reason": row.scored.reason,
        }
        for row in ranking.rows
    ]
