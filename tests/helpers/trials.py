"""Made-up trials for the tests of journals and run folders."""

from __future__ import annotations

from dataclasses import replace

from wrcor_ext.search.trial import Evaluation, Trial
from wrcor_ext.spaces import Cost


def trial(number, value=1.5, **changes):
    """A trial with that score; None is a failure."""
    evaluation = Evaluation(
        "ok" if value is not None else "failed",
        {"wrcor": value, "naswot": 0.1},
        seconds=0.25,
        reason=None if value is not None else "RuntimeError: no",
    )
    return replace(
        Trial(number, f"arch {number}", f"key {number}", Cost(10, 20, 30, 4), evaluation, latency=1.5), **changes
    )
