"""`tail`: which levels a level-weighted score keeps."""

from __future__ import annotations

import math

import torch

from wrcor_ext.needs import Subject
from wrcor_ext.preserve import preserved, seeded
from wrcor_ext.recorder import Recorder
from wrcor_ext.response_sums import ResponseCount
from wrcor_ext.score_input import Tail

# `tail="auto"` may leave out less than this share of the summed weights. 2^-7 keeps the ranking of NAS-Bench-201 cells
# (Kendall tau 0.998 with the exact score), but on MobileNetV2 networks of nine levels it gives 0.996; 2^-9 keeps both.
AUTO_TAIL_SHARE = 2.0**-9


def first_level(subject: Subject, tail: Tail) -> int:
    """The first level that a tail keeps; `"auto"` counts responses in a forward of two images."""
    levels = max(1, len(subject.blocks))
    if tail == "auto":
        tail = _auto_tail(subject, levels)
    return 0 if tail is None else max(0, levels - tail)


def _auto_tail(subject: Subject, levels: int) -> int:
    """The smallest number of last levels whose left-out share of the weights is under `AUTO_TAIL_SHARE`."""
    model, count = subject.model, ResponseCount()
    recorder = Recorder(model, count, rule=subject.rule, blocks=subject.blocks, gradients=False)
    # Of its own seed and state, so that counting changes nothing about the scored pass.
    with torch.no_grad(), preserved(model), seeded(subject.seed), recorder:
        # Two images tell how often each level is called; one would stop a batch-norm over a single value.
        model(subject.images[:2].clone())
    weights = [count.per_level.get(level, 0) * 2.0**level for level in range(levels)]
    total = math.fsum(weights)
    for tail in range(1, levels):
        if math.fsum(weights[: levels - tail]) < AUTO_TAIL_SHARE * total:
            return tail
    return levels
