"""The table of proxies: what each is called, what it needs from a pass, and how it turns that into a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from wrcor_ext import ops
from wrcor_ext.errors import InputError, did_you_mean

Kind = Literal["activation", "gradient"]
Measure = Literal["correlation", "hamming"]


@dataclass(frozen=True)
class ResponseSum:
    """A matrix K [N, N] float64 summed over the responses of one forward (and backward).

    Attributes:
        kinds: which responses take part.
        measure: `"correlation"` adds abs(C(x)); `"hamming"` adds B B^T + (1-B)(1-B)^T with B = (x > 0).
        level_weighted: a response of level l counts 2^l times instead of once.
    """

    kinds: frozenset[Kind]
    measure: Measure
    level_weighted: bool = False

    @property
    def needs_gradients(self) -> bool:
        """Whether a backward pass is needed."""
        return "gradient" in self.kinds


@dataclass(frozen=True)
class ProxyValue:
    """A proxy's number before it is packed into a result; `reason` is set where there is none.

    Attributes:
        value: the score, or nan.
        sign: sign of the determinant behind the logarithm: a sum of abs(C) may be indefinite.
        reason: why there is no value, or None.
    """

    value: float
    sign: float
    reason: str | None = None


@dataclass(frozen=True)
class Proxy:
    """One registry entry.

    Attributes:
        name: canonical name, as the field uses it.
        aliases: other accepted names (the published code's).
        needs: the sum over responses that it is computed from.
        compute: from K [N, N] float64 to a value.
        paper: where it is defined.
        summary: one line for listings.
    """

    name: str
    aliases: tuple[str, ...]
    needs: ResponseSum
    compute: Callable[[torch.Tensor], ProxyValue]
    paper: str
    summary: str


_PROXIES: dict[str, Proxy] = {}
_CANONICAL: dict[str, str] = {}


def register(
    name: str, *, needs: ResponseSum, paper: str, aliases: tuple[str, ...] = ()
) -> Callable[[Callable[[torch.Tensor], ProxyValue]], Callable[[torch.Tensor], ProxyValue]]:
    """Decorator that enters a proxy under `name`; its docstring's first line becomes the summary.

    Raises:
        ValueError: if the name or an alias is taken.
    """

    def enter(compute: Callable[[torch.Tensor], ProxyValue]) -> Callable[[torch.Tensor], ProxyValue]:
        taken = [n for n in (name, *aliases) if n in _CANONICAL]
        if taken:
            raise ValueError(f"proxy name {taken[0]!r} is registered twice")
        summary = (compute.__doc__ or "").strip().split("\n")[0]
        _PROXIES[name] = Proxy(name, aliases, needs, compute, paper, summary)
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


def log_abs_det(k: torch.Tensor) -> ProxyValue:
    """log abs det K of a sum over responses, K [N, N] float64, by LU with partial pivoting."""
    sign, value = (float(part) for part in ops.slogdet(k))
    if math.isfinite(value):
        return ProxyValue(value, sign)
    return ProxyValue(math.nan, sign, "the summed matrix is singular: at least two images give the same responses")
