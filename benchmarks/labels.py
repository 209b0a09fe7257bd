"""Keeps labels beside the ends of lines from covering each other."""

from __future__ import annotations

from collections.abc import Mapping


def spread(heights: Mapping[str, float], apart: float) -> dict[str, float]:
    """Heights on a logarithmic axis, moved until neighbours are a factor of `apart` from each other; order is kept.

    Neighbours that are too close form a group, which keeps its geometric middle.
    """
    groups: list[list[str]] = []
    middles: list[float] = []

    def bottom(index: int) -> float:
        return middles[index] / apart ** ((len(groups[index]) - 1) / 2)

    def top(index: int) -> float:
        return middles[index] * apart ** ((len(groups[index]) - 1) / 2)

    for name in sorted(heights, key=heights.__getitem__):
        groups.append([name])
        middles.append(heights[name])
        while len(groups) > 1 and bottom(-1) < top(-2) * apart:
            upper, lower = groups.pop(), groups.pop()
            weight = len(upper) / (len(upper) + len(lower))
            middles[-2:] = [middles[-1] ** weight * middles[-2] ** (1 - weight)]
            groups.append(lower + upper)
    placed: dict[str, float] = {}
    for index, group in enumerate(groups):
        placed |= {name: bottom(index) * apart**step for step, name in enumerate(group)}
    return placed
