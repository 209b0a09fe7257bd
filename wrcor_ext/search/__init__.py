"""The search command and what it is made of: configuration, study (run folder), evaluator and the loop."""

from __future__ import annotations

from wrcor_ext.search.cli import main
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.study import Study
from wrcor_ext.search.trial import Evaluation, Trial

__all__ = ["Evaluation", "SearchConfig", "Study", "Trial", "main"]
