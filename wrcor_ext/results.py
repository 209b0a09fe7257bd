"""What `wrcor_ext.score` returns: one result per proxy, never a bare number that hides a failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from wrcor_ext import proxies

Status = Literal["ok", "degenerate", "failed"]

# From the best to the worst.
STATUSES: tuple[Status, ...] = ("ok", "degenerate", "failed")


@dataclass(frozen=True)
class ProxyResult:
    """The score of one network under one proxy.

    Attributes:
        value: the score; higher is better. `nan` unless `status` is `"ok"`.
        status: `"ok"`; `"degenerate"` where the definition gives no finite number for this network and batch;
            `"failed"` where computing it raised.
        seconds: wall time of the passes this proxy took part in; passes are shared, so these do not add up. On a GPU
            that of starting them: the host does not wait.
        detail: what stands behind the number: `sign` of the determinant; responses `used`, `skipped` (constant over
            some image, or not finite) and `ignored` (their first dimension is not the batch); how many of the used
            ones are gradients, `gradients_used`, where the proxy takes those; `levels` and `first_level`; how the pass
            fitted into memory if it did not at first, `offloaded` to the host, with so many blocks `recomputed` in the
            backward or in so many `micro_batches`; a `reason` unless ok, and the `traceback` if failed.
    """

    value: float
    status: Status
    seconds: float
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a proxy has no value.

    Attributes:
        status: `"degenerate"` or `"failed"`.
        reason: on one line.
    """

    status: Status
    reason: str


def reason_of(troubles: Mapping[str, Trouble]) -> str | None:
    """Troubles by proxy as one line; None if there are none."""
    return "; ".join(f"{name} {trouble.status}: {trouble.reason}" for name, trouble in troubles.items()) or None


class Scores(Mapping[str, ProxyResult]):
    """Results by proxy name, in the order asked for. Aliases of a proxy find its result too.

    Attributes:
        seconds: wall time of the whole call, set-up and restoring the model included.
    """

    def __init__(self, results: Mapping[str, ProxyResult], seconds: float) -> None:
        self._results = MappingProxyType(dict(results))
        self.seconds = seconds

    def __getitem__(self, name: str) -> ProxyResult:
        if name in self._results:
            return self._results[name]
        canonical = proxies.canonical_name(name)
        if canonical is None:
            raise KeyError(name)
        return self._results[canonical]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    @property
    def troubles(self) -> dict[str, Trouble]:
        """What went wrong, by proxy."""
        return {
            name: Trouble(result.status, " ".join(str(result.detail.get("reason", "no reason given")).split()))
            for name, result in self.items()
            if result.status != "ok"
        }

    @property
    def reason(self) -> str | None:
        """What went wrong, proxy by proxy on one line; None if nothing did."""
        return reason_of(self.troubles)

    def __repr__(self) -> str:
        parts = [f"{name}={r.value:.6g}" if r.status == "ok" else f"{name}={r.status}" for name, r in self.items()]
        return f"Scores({', '.join(parts)})"
