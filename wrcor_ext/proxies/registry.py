"""The table of proxies: what each is called, what it needs from a pass, and how it turns that into a number."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from torch import Tensor

from wrcor_ext.errors import InputError, did_you_mean
from wrcor_ext.needs import Kind, Need

Compute = TypeVar("Compute", bound=Callable[..., "ProxyValue"])


@dataclass(frozen=True)
class Summed:
    """A finished sum over responses.

    Attributes:
        k: [N, N] float64, on the model's device.
        used: per kind, how many responses went into it.
        skipped: per kind, how many did not: a row without variance, or not finite.
        sign: of the determinant of K, by LU with partial pivoting.
        logabsdet: logarithm of its absolute value. The log-determinants of all passes are computed in one call.
    """

    k: Tensor
    used: Mapping[Kind, int]
    skipped: Mapping[Kind, int]
    sign: float
    logabsdet: float


@dataclass(frozen=True)
class ProxyValue:
    """A proxy's number before it is packed into a result.

    Attributes:
        value: the score; not finite where there is none.
        reason: why there is none, or None.
        detail: what else is known, for `ProxyResult.detail`.
    """

    value: float
    reason: str | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Proxy:
    """One registry entry.

    Attributes:
        name: canonical name, as the field uses it.
        aliases: other accepted names (the published code's).
        needs: what it is computed from.
        compute: from the results of its needs, in their order, to a value.
        paper: where it is defined.
        summary: one line for listings.
        higher_is_better: whether networks with a higher value are expected to train better.
        deterministic: whether the same network and batch give the same value for every seed.
        version: of its values; raised when they change, so that those kept from before are not taken for new ones.
    """

    name: str
    aliases: tuple[str, ...]
    needs: tuple[Need, ...]
    compute: Callable[..., ProxyValue]
    paper: str
    summary: str
    higher_is_better: bool = True
    deterministic: bool = True
    version: int = 1

    @property
    def needs_labels(self) -> bool:
        """Whether one label per image is needed."""
        return any(need.needs_labels for need in self.needs)


_PROXIES: dict[str, Proxy] = {}
_CANONICAL: dict[str, str] = {}


def register(
    name: str,
    *,
    needs: Need | tuple[Need, ...],
    paper: str,
    aliases: tuple[str, ...] = (),
    higher_is_better: bool = True,
    deterministic: bool = True,
    version: int = 1,
) -> Callable[[Compute], Compute]:
    """Decorator that enters a proxy under `name`; its docstring's first line becomes the summary.

    The function takes the result of each need: a `Summed` for a `ResponseSum`, else whatever the need says.

    Raises:
        ValueError: if the name or an alias is taken.
    """

    def enter(compute: Compute) -> Compute:
        taken = [n for n in (name, *aliases) if n in _CANONICAL]
        if taken:
            raise ValueError(f"proxy name {taken[0]!r} is registered twice")
        summary = (compute.__doc__ or "").strip().split("\n")[0]
        asked = needs if isinstance(needs, tuple) else (needs,)
        _PROXIES[name] = Proxy(name, aliases, asked, compute, paper, summary, higher_is_better, deterministic, version)
        _CANONICAL.update(dict.fromkeys((name, *aliases), name))
        return compute

    return enter


def canonical_name(name: str) -> str | None:
    """The canonical name behind a name or alias, or None where it is unknown."""
    return _CANONICAL.get(name)


def names() -> tuple[str, ...]:
    """The canonical names of all proxies, in order of registration."""
    return tuple(_PROXIES)


def get(name: str) -> Proxy:
    """The proxy called `name`, or known under that alias.

    Raises:
        InputError: for an unknown name; the nearest ones are offered.
    """
    canonical = canonical_name(name)
    if canonical is None:
        raise InputError(f"unknown proxy {name!r}: {did_you_mean(name, _CANONICAL)}known are {', '.join(names())}")
    return _PROXIES[canonical]


def finite(value: Tensor | float, reason: str, **detail: object) -> ProxyValue:
    """`value` as a proxy's value; `reason` is why it may come out as NaN or infinite."""
    number = float(value)
    return ProxyValue(number, None if math.isfinite(number) else reason, detail)


def log_abs_det(summed: Summed) -> ProxyValue:
    """log abs det K of a sum over responses."""
    reason = "the summed matrix is singular: at least two images give the same responses"
    return finite(summed.logabsdet, reason, sign=summed.sign)
