"""One row of a search: an architecture and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from wrcor_ext.results import STATUSES, Status, Trouble, reason_of
from wrcor_ext.spaces import Cost

# What a candidate costs, by the names that options and files have for it.
COSTS = ("flops", "params", "memory", "layers", "latency")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluator finds out about one architecture.

    Attributes:
        status: that of the objective; of several members of a vote the best, of several objectives the worst. Only
            `"ok"` has scores to rank by.
        scores: value by proxy name, None where there is none.
        seconds: wall time of building and scoring.
        reason: what went wrong, for the objective or any other proxy; None if nothing did.
        cached: whether the scores were known from another run.
        troubles: of `reason`, what belongs to a single proxy. A journal does not keep them apart.
    """

    status: Status
    scores: Mapping[str, float | None]
    seconds: float
    reason: str | None = None
    cached: bool = False
    troubles: Mapping[str, Trouble] = field(default_factory=dict, compare=False)

    @classmethod
    def of(
        cls,
        scores: Mapping[str, float | None],
        troubles: Mapping[str, Trouble],
        ranking: Sequence[Sequence[str]],
        *,
        seconds: float,
        cached: bool = False,
    ) -> Evaluation:
        """An evaluation from what is known of each proxy.

        Args:
            scores: value by name, None for those in `troubles`.
            troubles: why they have none, in the order of `scores`.
            ranking: by objective, the names of the proxies whose values rank candidates.
            seconds: as in the attribute.
            cached: likewise.
        """
        statuses = {name: troubles[name].status if name in troubles else "ok" for name in scores}
        status = max((min((statuses[n] for n in names), key=STATUSES.index) for names in ranking), key=STATUSES.index)
        return cls(status, scores, seconds, reason_of(troubles), cached, troubles)


@dataclass(frozen=True, slots=True)
class Trial:
    """An evaluation in its place in the search.

    Attributes:
        trial: number, from 0.
        architecture: as text, the form that `Space.parse` reads.
        key: canonical form; isomorphic architectures share it.
        cost: FLOPs and parameters, None where they cannot be counted. Isomorphic architectures may differ in it: a part
            that does not reach the output costs all the same.
        evaluation: what the evaluator said; for a duplicate, what it said of the earlier trial.
        duplicate_of: the trial that this one is isomorphic to and takes its scores from; None if it was scored itself.
        latency: milliseconds of a forward pass of one image; None where nobody asked for it.
    """

    trial: int
    architecture: str
    key: str
    cost: Cost | None
    evaluation: Evaluation
    duplicate_of: int | None = None
    latency: float | None = None

    @property
    def flops(self) -> int | None:
        """Multiply-adds of one image, if they can be counted."""
        return None if self.cost is None else self.cost.flops

    @property
    def params(self) -> int | None:
        """Number of parameters, if they can be counted."""
        return None if self.cost is None else self.cost.params

    @property
    def memory(self) -> int | None:
        """Peak bytes of activations, if they can be counted."""
        return None if self.cost is None else self.cost.memory

    @property
    def layers(self) -> int | None:
        """Number of convolutions and linear layers, if they can be counted."""
        return None if self.cost is None else self.cost.layers

    @property
    def costs(self) -> dict[str, float | None]:
        """All of these by name, with the latency."""
        return {name: getattr(self, name) for name in COSTS}

    def repeated(self, trial: int, architecture: str, cost: Cost | None, latency: float | None = None) -> Trial:
        """The trial of an architecture that is isomorphic to this one's: same scores, in no time."""
        evaluation = replace(self.evaluation, seconds=0.0, cached=False)
        return Trial(trial, architecture, self.key, cost, evaluation, self.trial, latency)
