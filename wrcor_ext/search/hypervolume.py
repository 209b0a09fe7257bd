"""Hypervolume: how much of the space of objectives some candidates dominate, exactly, as they come one after the other.

The volume of all that is dominated by at least one candidate and dominates a *reference point*. It grows when the front
moves ahead, gets denser or reaches further, and never shrinks when a candidate is added. Its unit is the product of the
objectives' units, so volumes compare only under the same reference point.

What a candidate adds to others is its box less what they cover of it, which is the volume of the others cut down to the
box. A volume is swept from above along its last dimension: each candidate counts its height times what it adds, in the
dimensions that are left, to those above it. In two dimensions a sorted outline tells what is added.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Protocol

import numpy as np

from wrcor_ext.search.pareto import CHUNK, Floats, covered


def hypervolume(points: Floats, reference: Floats) -> float:
    """The volume that candidates dominate above a reference point.

    Args:
        points: [n, m], higher is better; a row with NaN dominates nothing.
        reference: [m].
    """
    above = points - reference
    return _volume(above[(above > 0).all(axis=1)])


def growth(points: Floats, reference: Floats) -> Floats:
    """The volume after each candidate [n], in the order given; arguments as for `hypervolume`."""
    above = points - reference
    gains = np.zeros(len(above))
    region = _region(len(reference))
    for start in range(0, len(above), CHUNK):  # in a long run nearly all are dominated by an earlier one
        chunk = above[start : start + CHUNK]
        for place in np.flatnonzero((chunk > 0).all(axis=1) & ~covered(chunk, region.corners())):
            gains[start + place] = region.add(chunk[place])
    return np.cumsum(gains)


class Hypervolume:
    """The volume of candidates that come one at a time.

    Args:
        reference: [m].

    Attributes:
        volume: so far.
    """

    def __init__(self, reference: Floats) -> None:
        self._reference = reference
        self._region = _region(len(reference))
        self.volume = 0.0

    def add(self, point: Floats) -> None:
        """Takes a candidate [m] in."""
        above = point - self._reference
        if (above > 0).all():
            self.volume += self._region.add(above)


class _Region(Protocol):
    """The union of boxes, each from the origin to a corner of positive coordinates."""

    def corners(self) -> Floats:
        """Those of the boxes that are within no other [k, m]."""

    def add(self, corner: Floats) -> float:
        """Adds a box and returns the volume that the union gains."""


class _Segment:
    """In one dimension, boxes are segments."""

    def __init__(self) -> None:
        self._length = 0.0

    def corners(self) -> Floats:
        return np.array([[self._length]])

    def add(self, corner: Floats) -> float:
        gain = max(0.0, float(corner[0]) - self._length)
        self._length += gain
        return gain


class _Staircase:
    """In two dimensions, the outline is a staircase: of its corners, x falls as y rises."""

    def __init__(self) -> None:
        self._minus_x: list[float] = []
        self._y: list[float] = []

    def corners(self) -> Floats:
        return np.column_stack([np.negative(self._minus_x), self._y])

    def add(self, corner: Floats) -> float:
        x, y = float(corner[0]), float(corner[1])
        end = bisect_right(self._minus_x, -x)  # the corners before it reach at least as far in x
        covered_to = self._y[end - 1] if end else 0.0
        if y <= covered_to:
            return 0.0
        start = end - 1 if end and self._minus_x[end - 1] == -x else end
        gain = 0.0
        while end < len(self._y) and self._y[end] <= y:  # corners within the new box
            gain += (x + self._minus_x[end]) * (self._y[end] - covered_to)
            covered_to = self._y[end]
            end += 1
        beside = -self._minus_x[end] if end < len(self._y) else 0.0
        gain += (x - beside) * (y - covered_to)
        self._minus_x[start:end] = [-x]
        self._y[start:end] = [y]
        return gain


class _Boxes:
    """In more dimensions."""

    def __init__(self, dimensions: int) -> None:
        self._corners = np.empty((0, dimensions))

    def corners(self) -> Floats:
        return self._corners

    def add(self, corner: Floats) -> float:
        if (self._corners >= corner).all(axis=1).any():
            return 0.0
        gain = float(corner.prod()) - _volume(np.minimum(self._corners, corner))
        self._corners = np.concatenate([self._corners[~(self._corners <= corner).all(axis=1)], corner[None]])
        return max(0.0, gain)  # rounding must not let the volume shrink


def _region(dimensions: int) -> _Region:
    if dimensions == 1:
        return _Segment()
    return _Staircase() if dimensions == 2 else _Boxes(dimensions)


def _volume(corners: Floats) -> float:
    """The volume of a union of boxes."""
    dimensions = corners.shape[1]
    if dimensions == 1:
        return float(corners.max(initial=0.0))
    region = _region(dimensions - 1)
    from_above = corners[np.argsort(-corners[:, -1], kind="stable")]
    return float(sum(corner[-1] * region.add(corner[:-1]) for corner in from_above))
