"""The trials of a run as reports see them: single ones, and all of them column by column."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from wrcor_ext.reporting.costs import COSTS

Floats = npt.NDArray[np.float64]


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
        cached: whether its scores were known from another run.
        memory: peak bytes of activations; None where they cannot be counted.
        layers: number of convolutions and linear layers, likewise.
        latency: milliseconds of a forward pass; None where nobody asked for it.
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
    cached: bool = False
    memory: int | None = None
    layers: int | None = None
    latency: float | None = None

    @property
    def costs(self) -> dict[str, float | None]:
        """What it costs, by the names of `wrcor_ext.reporting.costs.COSTS`."""
        return {name: getattr(self, name) for name in COSTS}


@dataclass(frozen=True)
class Failures:
    """How often something went wrong, and where first."""

    count: int
    first: int


@dataclass(frozen=True)
class Candidates:
    """All trials of a run in order. A run may have a million: numbers are in arrays, texts stay where they are.

    Attributes:
        trial: numbers [T].
        objective: what is maximised [T], NaN where there is none.
        flops: multiply-adds of one image [T], NaN where they cannot be counted.
        own: positions [A] of the trials that were scored themselves, in order.
        architecture: of one of these by the number of its trial, as text.
        scores: of these, by proxy name [A], NaN where there is none.
        cached: how many scores were known from other runs.
        statuses: trials by status.
        seconds: wall time of evaluating, added up.
        failures: by status and reason.
    """

    trial: npt.NDArray[np.int64]
    objective: Floats
    flops: Floats
    own: npt.NDArray[np.int64]
    architecture: Callable[[int], str]
    scores: Mapping[str, Floats]
    cached: int
    statuses: Counter[str]
    seconds: float
    failures: Mapping[tuple[str, str], Failures]

    @classmethod
    def of(cls, candidates: Iterable[Candidate], architecture: Callable[[int], str] | None = None) -> Candidates:
        """The columns of candidates, which are looked at one after the other.

        Args:
            candidates: all of a run, in order.
            architecture: finds that of a trial; if None, they are kept.
        """
        columns = _Columns(texts={} if architecture is None else None)
        for candidate in candidates:
            columns.add(candidate)
        return cls(
            np.array(columns.trial, dtype=np.int64),
            np.array(columns.objective),
            np.array(columns.flops),
            np.array(columns.own, dtype=np.int64),
            (columns.texts or {}).__getitem__ if architecture is None else architecture,
            {name: np.array(values) for name, values in columns.scores.items()},
            columns.cached,
            columns.statuses,
            columns.seconds,
            {kind: Failures(count, columns.first[kind]) for kind, count in columns.failures.most_common()},
        )

    def __len__(self) -> int:
        return len(self.trial)


@dataclass
class _Columns:
    """Columns that grow."""

    texts: dict[int, str] | None
    trial: array[int] = field(default_factory=lambda: array("q"))
    objective: array[float] = field(default_factory=lambda: array("d"))
    flops: array[float] = field(default_factory=lambda: array("d"))
    own: array[int] = field(default_factory=lambda: array("q"))
    scores: dict[str, array[float]] = field(default_factory=dict)
    cached: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, candidate: Candidate) -> None:
        if not candidate.seen_before:
            for name in candidate.scores:
                if name not in self.scores:  # what only later candidates have is missing in the earlier ones
                    self.scores[name] = array("d", [math.nan] * len(self.own))
            for name, column in self.scores.items():
                column.append(_number(candidate.scores.get(name)))
            self.own.append(len(self.trial))
            if self.texts is not None:
                self.texts[candidate.trial] = candidate.architecture
        self.trial.append(candidate.trial)
        self.objective.append(_number(candidate.objective))
        self.flops.append(_number(candidate.flops))
        self.cached += candidate.cached
        self.statuses[candidate.status] += 1
        self.seconds += candidate.seconds
        if candidate.status != "ok" or candidate.reason is not None:
            kind = (candidate.status, candidate.reason or "no reason given")
            self.failures[kind] += 1
            self.first.setdefault(kind, candidate.trial)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
