"""Reports for people: a self-contained HTML page of a search."""

from __future__ import annotations

from wrcor_ext.reporting.report import Candidate, Report

__all__ = ["Candidate", "Report"]
