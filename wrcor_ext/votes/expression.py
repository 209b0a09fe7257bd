"""How a vote is written: `sjw`, or `vote:METHOD(PROXY, -PROXY, 3*PROXY, ...)`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from wrcor_ext.errors import InputError, did_you_mean
from wrcor_ext.proxies import registry
from wrcor_ext.proxies.registry import Proxy
from wrcor_ext.votes.methods import METHODS

SYNTAX = "vote:METHOD(PROXY, -PROXY, 3*PROXY, ...)"

# The votes of the WRCor paper (arXiv 2507.08841), by their published names.
NAMED = {
    "sjw": "vote:majority(synflow, jacob_cor, wrcor)",
    "spw": "vote:majority(synflow, l2_norm, wrcor)",
}

_EXPRESSION = re.compile(r"\s*vote\s*:\s*(?P<method>\w+)\s*\((?P<members>[^()]*)\)\s*")
_MEMBER = re.compile(r"\s*(?P<sign>[+-]?)\s*(?:(?P<weight>\d{1,6}(?:\.\d{1,6})?)\s*\*)?\s*(?P<name>[A-Za-z_]\w*)\s*")


@dataclass(frozen=True)
class Member:
    """One proxy with a say.

    Attributes:
        proxy: what is asked.
        sign: -1 turns its opinion round.
        weight: how much its opinion counts, above 0; in a majority, how many votes it has.
    """

    proxy: Proxy
    sign: int = 1
    weight: float = 1.0

    @property
    def orientation(self) -> int:
        """What its value is multiplied with, so that higher is better: its sign times the proxy's own direction."""
        return self.sign if self.proxy.higher_is_better else -self.sign

    def __str__(self) -> str:
        weight = "" if self.weight == 1 else f"{self.weight:.6f}".rstrip("0").rstrip(".") + "*"
        return f"{'-' if self.sign < 0 else ''}{weight}{self.proxy.name}"


@dataclass(frozen=True)
class Vote:
    """A vote that has been understood.

    Attributes:
        name: `sjw`, or the expression in its canonical form.
        method: one of `METHODS`.
        members: who votes, in the order written.
    """

    name: str
    method: str
    members: tuple[Member, ...]

    @property
    def proxies(self) -> tuple[str, ...]:
        """The canonical names of the members' proxies."""
        return tuple(member.proxy.name for member in self.members)

    @property
    def weights(self) -> tuple[float, ...]:
        """How much each member counts."""
        return tuple(member.weight for member in self.members)


def is_vote(text: str) -> bool:
    """Whether a text is meant as a vote, well written or not, rather than as a proxy's name."""
    return text in NAMED or text.lstrip().startswith("vote:") or "(" in text


def parse(text: str) -> Vote:
    """The vote that a name or an expression stands for.

    Args:
        text: `sjw`, `spw`, or `vote:METHOD(PROXY, -PROXY, 3*PROXY, ...)` with names or aliases of proxies, each with
            a weight or without, which is 1: up to six digits before the point and behind it.

    Raises:
        InputError: for a text that is not written so, an unknown name, method or proxy, a proxy that votes twice, a
            weight of 0, or a part of a vote in a majority.
    """
    if not is_vote(text):
        raise InputError(f"unknown vote {text!r}: {did_you_mean(text, NAMED)}known are {', '.join(NAMED)} and {SYNTAX}")
    match = _EXPRESSION.fullmatch(NAMED.get(text, text))
    if match is None:
        raise InputError(f"{text!r} is not written as {SYNTAX}, METHOD one of {', '.join(METHODS)}")
    method = match["method"]
    if method not in METHODS:
        raise InputError(f"unknown vote {method!r}: {did_you_mean(method, METHODS)}known are {', '.join(METHODS)}")
    found: dict[str, Member] = {}
    for word in match["members"].split(","):
        member = _member(word, text)
        if member.proxy.name in found:
            raise InputError(f"{member.proxy.name} votes twice in {text!r}")
        if method == "majority" and not member.weight.is_integer():
            raise InputError(f"{member} in {text!r}: a majority counts whole votes")
        found[member.proxy.name] = member
    canonical = f"vote:{method}({','.join(map(str, found.values()))})"
    return Vote(text if text in NAMED else canonical, method, tuple(found.values()))


def _member(word: str, text: str) -> Member:
    match = _MEMBER.fullmatch(word)
    if match is None:
        raise InputError(f"{text!r} is not written as {SYNTAX}: {word.strip()!r} is no proxy")
    try:
        proxy = registry.get(match["name"])
    except InputError as error:
        raise InputError(f"{text!r}: {error}") from error
    member = Member(proxy, -1 if match["sign"] == "-" else 1, float(match["weight"] or 1))
    if not member.weight:
        raise InputError(f"{proxy.name} has no weight in {text!r}: leave it out, or give it more than 0")
    return member


def lookup(name: str) -> Proxy | Vote:
    """The proxy or the vote of this name.

    Raises:
        InputError: for an unknown or malformed one; the nearest names are offered.
    """
    if is_vote(name):
        return parse(name)
    if registry.canonical_name(name) is None:
        known = [alias for proxy in map(registry.get, registry.names()) for alias in (proxy.name, *proxy.aliases)]
        near = did_you_mean(name, [*known, *NAMED])
        raise InputError(
            f"unknown proxy or vote {name!r}: {near}known are {', '.join((*registry.names(), *NAMED))} and {SYNTAX}"
        )
    return registry.get(name)


def members(names: Sequence[str]) -> tuple[str, ...]:
    """The canonical names of all proxies that proxies and votes need, each once, in the order first needed.

    Raises:
        InputError: for an unknown or malformed name.
    """
    found = (lookup(name) for name in names)
    return tuple(dict.fromkeys(p for one in found for p in (one.proxies if isinstance(one, Vote) else (one.name,))))
