"""Scores of a network by their published names."""

from __future__ import annotations

from wrcor_ext.published.measures import find_measures, find_measures_arrays

__all__ = ["find_measures", "find_measures_arrays"]
