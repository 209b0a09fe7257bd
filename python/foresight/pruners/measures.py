"""The measures by name, and a decorator for more of them."""

from __future__ import annotations

from wrcor_ext.published.measures import AVAILABLE as available_measures  # noqa: N811  (a list that `measure` appends to)
from wrcor_ext.published.measures import calc_measure, measure

__all__ = ["available_measures", "calc_measure", "measure"]
