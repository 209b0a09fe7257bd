"""A small layered layout for graphs without cycles (after Sugiyama, Tagawa and Toda, 1981): a place for every vertex.

Vertices stand in rows by their longest path from the source. An edge that passes rows gets a lane in each of them, wide
enough that it touches no vertex. The order within rows is the one with the fewest crossings that sweeps of averaging
find, from several first orders; then every item moves as close to its neighbours' middle as the others of its row let
it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Edge = tuple[int, int]
Item = tuple[int, ...]  # (vertex,), or (source, target, row) for the lane of an edge

LANE_WIDTH = 26.0  # of an edge that passes between vertices
SPACE = 14.0  # between neighbours in a row
_SWEEPS = 12
_STARTS = 8


@dataclass(frozen=True)
class Layout:
    """Where everything is.

    Attributes:
        row: of each vertex, from 0.
        x: middle of each item.
        chains: for each edge the items on its way, source and target included.
        width: of the whole.
    """

    row: Mapping[int, int]
    x: Mapping[Item, float]
    chains: Mapping[Edge, tuple[Item, ...]]
    width: float


def layout(edges: Sequence[Edge], box_width: float) -> Layout:
    """Lays out a connected graph whose edges lead from lower to higher numbers, from vertex 0 on.

    Args:
        edges: (source, target).
        box_width: of every vertex.
    """
    row: dict[int, int] = {0: 0}
    for source, target in sorted(edges):
        row[target] = max(row.get(target, 0), row[source] + 1)
    chains: dict[Edge, tuple[Item, ...]] = {
        (s, t): ((s,), *((s, t, between) for between in range(row[s] + 1, row[t])), (t,)) for s, t in edges
    }
    rows: list[list[Item]] = [[] for _ in range(max(row.values()) + 1)]
    for item in dict.fromkeys(item for chain in chains.values() for item in chain):
        rows[item[2] if len(item) > 1 else row[item[0]]].append(item)
    links = {link for chain in chains.values() for link in pairwise(chain)}
    rows = _ordered(rows, links)
    x = _placed(rows, links, box_width)
    left = min(value - _width(item, box_width) / 2 for item, value in x.items())
    right = max(value + _width(item, box_width) / 2 for item, value in x.items())
    return Layout(row, {item: value - left for item, value in x.items()}, chains, right - left)


def _width(item: Item, box_width: float) -> float:
    return box_width if len(item) == 1 else LANE_WIDTH


def _neighbours(links: set[tuple[Item, Item]]) -> tuple[dict[Item, list[Item]], dict[Item, list[Item]]]:
    """Of each item those in the row above and those in the row below."""
    above: dict[Item, list[Item]] = {}
    below: dict[Item, list[Item]] = {}
    for upper, lower in sorted(links):
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    return above, below


def _ordered(rows: list[list[Item]], links: set[tuple[Item, Item]]) -> list[list[Item]]:
    """The rows in an order with few crossings: the best of sweeps from several first orders."""
    shuffle = random.Random(0)  # any order will do, but always the same
    best = rows
    for _ in range(_STARTS):
        for found in _swept(rows, links):
            if _crossings(found, links) < _crossings(best, links):
                best = found
        rows = [shuffle.sample(items, len(items)) for items in rows]
    return best


def _swept(rows: list[list[Item]], links: set[tuple[Item, Item]]) -> Iterator[list[list[Item]]]:
    """What becomes of the rows as each is sorted by the average place of its neighbours, downwards and upwards."""
    above, below = _neighbours(links)
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        rows = [list(items) for items in rows]
        for number in range(1, len(rows)) if downwards else range(len(rows) - 2, -1, -1):
            place = {item: index for index, item in enumerate(rows[number - 1 if downwards else number + 1])}
            near = above if downwards else below
            wanted = {item: sum(place[other] for other in near[item]) / len(near[item]) for item in rows[number]}
            rows[number].sort(key=wanted.__getitem__)
        yield rows


def _crossings(rows: list[list[Item]], links: set[tuple[Item, Item]]) -> int:
    place = {item: index for items in rows for index, item in enumerate(items)}
    level = {item: number for number, items in enumerate(rows) for item in items}
    ends = sorted((level[upper], place[upper], place[lower]) for upper, lower in links)
    return sum(a[0] == b[0] and a[1] < b[1] and a[2] > b[2] for index, a in enumerate(ends) for b in ends[index + 1 :])


def _placed(rows: list[list[Item]], links: set[tuple[Item, Item]], box_width: float) -> dict[Item, float]:
    """The middle of each item: towards its neighbours' middle, in the order of its row and at the needed distance."""
    above, below = _neighbours(links)
    offsets: list[list[float]] = []
    for items in rows:
        row_offsets = [0.0]
        for left, right in pairwise(items):
            row_offsets.append(row_offsets[-1] + (_width(left, box_width) + _width(right, box_width)) / 2 + SPACE)
        offsets.append(row_offsets)
    x = {
        item: offset - row_offsets[-1] / 2
        for items, row_offsets in zip(rows, offsets, strict=True)
        for item, offset in zip(items, row_offsets, strict=True)
    }
    for sweep in range(2 * _SWEEPS):
        for items, row_offsets in list(zip(rows, offsets, strict=True))[:: 1 if sweep % 2 else -1]:
            wanted = []
            for item, offset in zip(items, row_offsets, strict=True):
                near = [x[other] for other in (*above.get(item, ()), *below.get(item, ()))]
                wanted.append(sum(near) / len(near) - offset)
            for item, offset, value in zip(items, row_offsets, _nondecreasing(wanted), strict=True):
                x[item] = value + offset
    return x


def _nondecreasing(values: Sequence[float]) -> list[float]:
    """The nearest sequence, in least squares, that never falls: pool adjacent violators."""
    pools: list[tuple[float, int]] = []  # sum and count
    for value in values:
        total, count = value, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before = pools.pop()
            total, count = total + before[0], count + before[1]
        pools.append((total, count))
    return [total / count for total, count in pools for _ in range(count)]
