"""From an architecture to its cost and scores."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from wrcor_ext.data import Batch
from wrcor_ext.devices import checked_device
from wrcor_ext.errors import BackendError, WrcorError, in_words
from wrcor_ext.results import Scores
from wrcor_ext.scoring import Measurement, finish, measure
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.spaces import Cost, Space

A = TypeVar("A", bound=Hashable)
A_contra = TypeVar("A_contra", contravariant=True)


# The passes of an architecture with the seconds that they took, or what went wrong with it.
Begun = tuple[Measurement, float] | Evaluation


class Evaluator(Protocol[A_contra]):
    """Whatever can evaluate architectures; the same architecture always gets the same answer (but for `seconds`)."""

    def cost(self, arch: A_contra) -> Cost | None:
        """FLOPs and parameters of the network that would be evaluated; None where they cannot be counted."""

    def evaluate(self, arch: A_contra) -> Evaluation:
        """Scores of one architecture; what goes wrong with it alone is in the answer, not raised."""


class InProcessEvaluator(Generic[A]):
    """Builds and scores each architecture here and now.

    All candidates see the same batch and begin from weights of the same seed.

    Args:
        space: that the architectures belong to.
        batch: the images and labels.
        config: proxies and votes, rule, tail and seed.
    """

    def __init__(self, space: Space[A], batch: Batch, config: SearchConfig) -> None:
        self._space = space
        self._config = config
        self._device = checked_device(config.device)
        self._batch = batch
        # Once, not for each candidate.
        self._images, self._labels = batch.images.to(self._device), batch.labels.to(self._device)

    def cost(self, arch: A) -> Cost | None:
        """FLOPs and parameters with the batch's classes and image size."""
        classes, size = self._batch.num_classes, self._batch.images.shape[-1]
        try:
            return self._space.cost(arch, num_classes=classes, image_size=size)
        except Exception:  # noqa: BLE001  as below; a network that cannot be made or run says so there, with the reason
            return None

    def evaluate(self, arch: A) -> Evaluation:
        """Scores of one architecture."""
        return self.finished([self.begun(arch)])[0]

    def begun(self, arch: A) -> Begun:
        """The passes of one architecture; a GPU may still be busy with them."""
        start = time.perf_counter()
        config = self._config
        try:
            model = self._space.build(arch, num_classes=self._batch.num_classes, seed=config.seed)
            measurement = measure(
                model.to(self._device),
                self._images,
                self._labels,
                proxies=config.members,
                rule=config.rule,
                tail=config.tail,
                seed=config.seed,
                amp=config.amp,
            )
        except BackendError:
            raise  # The installation is at fault, not the candidate: every further one would fail as well.
        except Exception as error:  # noqa: BLE001  a network is foreign code and may raise anything: the search goes on
            reason = str(error) if isinstance(error, WrcorError) else in_words(error)
            return Evaluation("failed", dict.fromkeys(config.members), time.perf_counter() - start, reason)
        return measurement, time.perf_counter() - start

    def finished(self, group: Sequence[Begun]) -> list[Evaluation]:
        """Scores of architectures whose passes have begun: all their log-determinants in one call."""
        scored = iter(finish([one[0] for one in group if not isinstance(one, Evaluation)]))
        return [one if isinstance(one, Evaluation) else self._evaluation(next(scored), *one) for one in group]

    def _evaluation(self, scores: Scores, measurement: Measurement, seconds: float) -> Evaluation:
        troubles = scores.troubles
        values = {name: None if name in troubles else scores[name].value for name in self._config.members}
        finishing = scores.seconds - measurement.seconds
        return Evaluation.of(values, troubles, self._config.objective.ranking, seconds=seconds + finishing)
