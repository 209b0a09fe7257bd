"""A search's callback that runs a plain training step of every network that the search evaluates, right after it.

Both are timed in the same minutes on the same machine, so whatever else it does hits them alike.
"""

from __future__ import annotations

import time
from dataclasses import fields

import torch.nn.functional as F
from torch import Tensor, nn

from wrcor_ext.search.callbacks import End, Start
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.setup import batch_of, space_of
from wrcor_ext.search.trial import Trial

# The first step of a network also chooses and packs for its convolutions; the fastest is what training repeats.
STEPS = 2


class TrainingSteps:
    """Forward, loss and backward into all parameters, images in NCHW, batch-norms in train mode.

    Attributes:
        own_seconds: wall time of this callback, to be taken off that of the search.
    """

    latest: TrainingSteps

    def __init__(self) -> None:
        self.own_seconds = 0.0
        self._steps: list[float] = []
        self._by_trial: dict[int, float] = {}
        TrainingSteps.latest = self

    @property
    def distinct(self) -> int:
        """How many networks were timed."""
        return len(self._by_trial)

    @property
    def mean_step(self) -> float:
        """Seconds of the fastest step, averaged over all trials; a duplicate has that of its original."""
        return sum(self._steps) / len(self._steps)

    def on_start(self, start: Start) -> None:
        """Loads the images of the run."""
        began = time.perf_counter()
        known = {field.name for field in fields(SearchConfig)}
        config = SearchConfig(**{name: value for name, value in start.config.items() if name in known})
        self._batch = batch_of(config, config.image_size or space_of(config).default_image_size)
        self._space = space_of(config, num_classes=self._batch.num_classes)
        self._seed = config.seed
        self.own_seconds += time.perf_counter() - began

    def on_trial(self, trial: Trial) -> None:
        """Times the step of a network not seen before."""
        began = time.perf_counter()
        source = trial.trial if trial.duplicate_of is None else trial.duplicate_of
        if source not in self._by_trial:
            arch = self._space.parse(trial.architecture)
            model = self._space.build(arch, num_classes=self._batch.num_classes, seed=self._seed).train()
            self._by_trial[source] = min(_step(model, self._batch.images, self._batch.labels) for _ in range(STEPS))
        self._steps.append(self._by_trial[source])
        self.own_seconds += time.perf_counter() - began

    def on_end(self, end: End) -> None:
        """Nothing is left to do."""


def _step(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    began = time.perf_counter()
    F.cross_entropy(model(images), labels).backward()
    seconds = time.perf_counter() - began
    model.zero_grad(set_to_none=True)
    return seconds
