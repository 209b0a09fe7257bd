"""Pairwise majority: duels between all pairs of candidates, and the order that follows from them.

Where the duels contain no circle, the winner of a duel is ranked above the loser. Candidates that beat each other in a
circle (Condorcet's paradox) are ranked by Copeland score, wins minus losses against all. So are those that no chain of
duels compares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Duels = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Order:
    """The order that duels give.

    Attributes:
        groups: candidates from the best to the worst; those of a group are equals.
        cycles: the sets of candidates that beat each other in a circle, directly or through others.
    """

    groups: Sequence[Sequence[int]]
    cycles: Sequence[Sequence[int]]


def duels(table: npt.NDArray[np.float64], votes: Sequence[int] | None = None) -> Duels:
    """[n, n]: whether more votes prefer candidate i to j than j to i.

    Args:
        table: [n, m], higher is better; NaN loses against every number, and abstains against NaN.
        votes: [m], how many each member has; None: one.
    """
    lead = np.zeros((len(table), len(table)), dtype=np.int32)
    columns = np.where(np.isnan(table), -np.inf, table).T
    for column, count in zip(columns, votes or [1] * len(columns), strict=True):
        lead += np.int32(count) * (column[:, None] > column[None, :])
        lead -= np.int32(count) * (column[:, None] < column[None, :])
    return np.asarray(lead > 0)


def copeland(beats: Duels) -> npt.NDArray[np.int64]:
    """[n]: duels won minus duels lost."""
    return np.asarray(beats.sum(axis=1) - beats.sum(axis=0))


def order(beats: Duels) -> Order:
    """The order of the candidates; it does not depend on how they are numbered.

    Args:
        beats: [n, n], of `duels`.
    """
    scores = copeland(beats)
    circles = _strong_components(beats)
    home = np.empty(len(beats), dtype=np.int64)
    for number, circle in enumerate(circles):
        home[circle] = number
    above = np.zeros((len(circles), len(circles)), dtype=bool)
    winners, losers = np.nonzero(beats)
    above[home[winners], home[losers]] = True
    np.fill_diagonal(above, val=False)
    unplaced_above = above.sum(axis=0)
    highest = np.array([scores[circle].max() for circle in circles])
    placed = np.zeros(len(circles), dtype=bool)
    groups: list[list[int]] = []
    while not placed.all():
        free = ~placed & (unplaced_above == 0)
        chosen = np.nonzero(free & (highest == highest[free].max()))[0]
        # Equals together: one after the other would be the order in which they are numbered.
        together = np.concatenate([circles[number] for number in chosen])
        groups += [
            sorted(together[scores[together] == s].tolist()) for s in sorted(set(scores[together]), reverse=True)
        ]
        placed[chosen] = True
        unplaced_above -= above[chosen].sum(axis=0)
    place = {candidate: at for at, group in enumerate(groups) for candidate in group}
    cycles = [sorted(circle.tolist(), key=lambda c: (place[c], c)) for circle in circles if len(circle) > 1]
    return Order(groups, sorted(cycles, key=lambda cycle: (place[cycle[0]], cycle[0])))


def _strong_components(beats: Duels) -> list[npt.NDArray[np.int64]]:
    """The strongly connected components of the graph of duels, by Kosaraju's two searches."""
    finished: list[int] = []
    unvisited = np.ones(len(beats), dtype=bool)
    for start in range(len(beats)):
        _visit(start, beats, unvisited, finished)
    components = []
    unvisited[:] = True
    for start in reversed(finished):
        component: list[int] = []
        _visit(start, beats.T, unvisited, component)
        if component:
            components.append(np.array(sorted(component)))
    return components


def _visit(start: int, edges: Duels, unvisited: npt.NDArray[np.bool_], finished: list[int]) -> None:
    """Depth-first from `start`; appends each candidate when nothing is left to visit from it."""
    path = [start] if unvisited[start] else []
    unvisited[start] = False
    while path:
        further = np.nonzero(edges[path[-1]] & unvisited)[0]
        if len(further):
            path.append(int(further[0]))
            unvisited[further[0]] = False
        else:
            finished.append(path.pop())
