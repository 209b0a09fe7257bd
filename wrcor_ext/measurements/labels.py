"""The labels of the images, for scores that compare classes without a loss."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from wrcor_ext.needs import Probe, Seen, Subject, Watch


@dataclass(frozen=True)
class Labels(Probe):
    """The labels as they are: [N] int64 class indices, or what the caller's loss takes."""

    divides = True

    @property
    def needs_labels(self) -> bool:  # type: ignore[override]
        """Always."""
        return True

    def watch(self, subject: Subject) -> Watch:
        """Nothing to watch."""
        return _Watch()


class _Watch(Watch):
    def finish(self, subject: Subject, seen: Seen) -> Tensor:
        assert subject.labels is not None  # refused before the first pass
        return subject.labels
