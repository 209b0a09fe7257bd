"""A trial as reports see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """One trial.

    Attributes:
        trial: number, from 0.
        architecture: as text.
        status: `"ok"`, `"degenerate"` or `"failed"`.
        objective: what is maximised; None where there is none.
        scores: value by proxy name, None where there is none.
        flops: multiply-adds of one image; None where they cannot be counted.
        params: number of parameters, likewise.
        seconds: wall time of its evaluation.
        seen_before: whether its scores were taken over from an isomorphic candidate.
        reason: what went wrong; None if nothing did.
    """

    trial: int
    architecture: str
    status: str
    objective: float | None
    scores: Mapping[str, float | None]
    flops: int | None
    params: int | None
    seconds: float
    seen_before: bool = False
    reason: str | None = None
