"""Reports and drawings for people: a self-contained HTML page of a search, an SVG of an architecture."""

from __future__ import annotations

from wrcor_ext.reporting.candidate import Candidate, Candidates
from wrcor_ext.reporting.drawing import draw
from wrcor_ext.reporting.report import Report
from wrcor_ext.reporting.tradeoff import Quantity, Tradeoff

__all__ = ["Candidate", "Candidates", "Quantity", "Report", "Tradeoff", "draw"]
