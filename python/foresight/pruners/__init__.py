"""`from foresight.pruners import *` brings the modules `predictive`, `measures` and `p_utils`."""

from __future__ import annotations

from foresight.pruners import measures, p_utils, predictive

__all__ = ["measures", "p_utils", "predictive"]
