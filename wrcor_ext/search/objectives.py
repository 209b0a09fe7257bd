"""Whether objectives go together, and the one way in which a search is recorded that can be asked for in several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from wrcor_ext.errors import InputError
from wrcor_ext.options import Kind
from wrcor_ext.search.goal import Goal, checked_name
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.trial import COSTS
from wrcor_ext.spaces import Space

# What is maximised where nothing is said.
USUAL = ("wrcor",)

# The volume that a front dominates takes time that grows with the size of the front to the power of their number.
MOST_OBJECTIVES = 4


def settled(maximize: Sequence[str], minimize: Sequence[str], proxies: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The options `maximize`, `minimize` and `proxies` that stand for these.

    Objectives that are scored come first among the proxies. One alone, in its own direction, is nothing but the first
    proxy: the same search, whichever way it was asked for. Without anything, that is the usual one.

    Args:
        maximize: canonical names of costs, proxies and votes.
        minimize: likewise.
        proxies: canonical names of proxies and votes that are recorded beside them.

    Raises:
        InputError: for objectives that contradict each other, are too many, or say nothing about scores.
    """
    if not maximize and not minimize:
        return {"proxies": tuple(proxies) or USUAL}
    objective = Objective.of(maximize, minimize)
    for name in maximize:
        if name in minimize:
            raise InputError(f"{name!r} cannot be maximised and minimised at once")
    names = (*maximize, *minimize)
    if len(names) > MOST_OBJECTIVES:
        raise InputError(f"{len(names)} objectives ({objective.name}) are too many: at most {MOST_OBJECTIVES}")
    scored = [name for name in names if name not in COSTS]
    if not scored:
        raise InputError(f"objectives {objective.name}: costs alone need no search, add a proxy or a vote")
    listed = tuple(dict.fromkeys([*scored, *proxies]))
    if len(names) == 1 and objective.goals == (Goal.named(names[0]),):
        return {"maximize": (), "minimize": (), "proxies": listed}
    return {"maximize": tuple(maximize), "minimize": tuple(minimize), "proxies": listed}


def _checked_point(value: object) -> tuple[str, ...]:
    """Words of the form NAME=NUMBER, each name once, in one way to write them."""
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)):
        raise ValueError
    found: dict[str, float] = {}
    for word in words:
        if not isinstance(word, str):
            raise ValueError
        name, _, number = word.rpartition("=")
        coordinate = float(number)
        if not math.isfinite(coordinate):
            raise ValueError
        name = checked_name(name.strip())
        if name in found:
            raise InputError(f"{name!r} is given twice")
        found[name] = coordinate
    return tuple(f"{name}={coordinate!r}" for name, coordinate in found.items())


REFERENCE_POINT = Kind(
    "OBJECTIVE=NUMBER, one or more, or none (the worst that the run has seen)", _checked_point, many=True
)


def coordinates(point: Sequence[str]) -> list[tuple[str, float]]:
    """Name and number of each word of a checked reference point."""
    parts = (word.rpartition("=") for word in point)
    return [(name, float(number)) for name, _, number in parts]


def check_reference(point: Sequence[str], objective: Objective) -> None:
    """Whether each coordinate belongs to one of several objectives.

    Raises:
        InputError: if not.
    """
    labels = [goal.label for goal in objective.goals]
    for name, number in coordinates(point):
        if not objective.is_front:
            raise InputError(f"reference_point {name}={number:g} has no effect without several objectives")
        if name not in labels:
            raise InputError(f"reference_point {name}={number:g}: the objectives are {', '.join(labels)}")


def notes(objective: Objective) -> list[str]:
    """What may not be meant, one phrase each."""
    turned = [goal for goal in objective.goals if goal.is_turned]
    words = {1: ("maximised", "lower"), -1: ("minimised", "higher")}
    phrase = "{} is {} as asked for, though a {} one is taken to be better"
    return [phrase.format(goal.label, *words[goal.sign]) for goal in turned]


def check_counted(objective: Objective, space: Space[Any], seed: int) -> None:
    """Whether a space counts the costs that are objectives, as a random architecture shows.

    Args:
        objective: of a search.
        space: that is searched.
        seed: of the random architecture.

    Raises:
        InputError: if not.
    """
    # Latencies are measured or looked up, whatever the space.
    wanted = [goal for goal in objective.goals if goal.is_cost and goal.label != "latency"]
    if not wanted:
        return
    try:
        cost = space.cost(space.sample(np.random.default_rng(seed)))
    except Exception:  # noqa: BLE001  a space may be foreign code: what one network does not say another one may
        return
    for goal in wanted:
        if getattr(cost, goal.label) is None:
            raise InputError(f"objective {goal.name}: the space {space.name} does not count {goal.label}")
