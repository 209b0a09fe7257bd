"""Scored models in order: the best first, those without a score last, with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from wrcor_ext.reporting import numbers
from wrcor_ext.results import Status
from wrcor_ext.spaces import Cost

_ORDER: tuple[Status, ...] = ("ok", "degenerate", "failed")


@dataclass(frozen=True)
class Scored:
    """One model and what became of it.

    Attributes:
        model: its specification.
        status: that of the first proxy: only `"ok"` has a score to rank by.
        scores: value by proxy name, None where there is none.
        seconds: wall time of scoring.
        cost: multiply-adds of one image and parameters; None where they cannot be counted.
        reason: what went wrong, for the first or any other proxy; None if nothing did.
    """

    model: str
    status: Status
    scores: Mapping[str, float | None]
    seconds: float
    cost: Cost | None
    reason: str | None = None


def ranked(models: Sequence[Scored]) -> list[tuple[int | None, Scored]]:
    """Models with their ranks from 1, by the first proxy; of equals the first given; no score, no rank."""

    def order(scored: Scored) -> tuple[int, float]:
        value = next(iter(scored.scores.values()), None)
        return _ORDER.index(scored.status), -(value if value is not None else 0.0)

    in_order = sorted(models, key=order)
    return [(rank if scored.status == "ok" else None, scored) for rank, scored in enumerate(in_order, start=1)]


def table(models: Sequence[Scored], proxies: Sequence[str]) -> Table:
    """The ranking for people."""
    drawn = Table(title=f"{len(models)} model{'s' * (len(models) != 1)} by {proxies[0]}", title_justify="left")
    drawn.add_column("rank", justify="right")
    drawn.add_column("model", overflow="fold")
    for name in (*proxies, "FLOPs", "parameters", "seconds"):
        drawn.add_column(name, justify="right", no_wrap=True)
    with_reasons = any(scored.reason for scored in models)
    if with_reasons:
        drawn.add_column("reason", overflow="fold")
    for rank, scored in ranked(models):
        # Text, not str: the reason and the name may hold brackets, which rich takes for markup.
        cells = [Text(numbers.short(rank) if rank is None else str(rank)), Text(scored.model)]
        for place, name in enumerate(proxies):
            missing = scored.status if place == 0 else numbers.score(None)
            value = scored.scores[name]
            cells.append(Text(missing, style="yellow") if value is None else Text(numbers.score(value)))
        cost = (None, None) if scored.cost is None else (scored.cost.flops, scored.cost.params)
        cells += [Text(numbers.short(number)) for number in cost]
        cells.append(Text(f"{scored.seconds:.2f}"))
        if with_reasons:
            cells.append(Text(scored.reason or ""))
        drawn.add_row(*cells)
    return drawn


def facts(models: Sequence[Scored]) -> list[dict[str, object]]:
    """The ranking in JSON types."""
    return [
        {
            "rank": rank,
            "model": scored.model,
            "status": scored.status,
            "scores": dict(scored.scores),
            "cost": None if scored.cost is None else {"flops": scored.cost.flops, "params": scored.cost.params},
            "seconds": scored.seconds,
            "reason": scored.reason,
        }
        for rank, scored in ranked(models)
    ]
