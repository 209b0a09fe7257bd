"""The options of the command `python -m wrcor_ext.score`."""

from __future__ import annotations

import dataclasses

from wrcor_ext import options as kinds
from wrcor_ext.options import checked, option, options_of
from wrcor_ext.repeats import MAX_REPEATS, seed_of
from wrcor_ext.scoring_options import ScoringOptions


@dataclasses.dataclass(frozen=True)
class ScoreConfig(ScoringOptions):
    """The options of the command.

    Raises:
        InputError: for a value that is not allowed; the message names the option.
    """

    levels: str = option(
        "auto",
        "which modules open a new level",
        kinds.text("auto, flat (no levels) or the dotted path of a container in the model"),
    )
    num_classes: int | None = option(
        None,
        "classes of the models, at least those of the images",
        kinds.optional(kinds.whole(2, 10**6), "as many as the images have"),
    )
    pretrained: bool = option(False, "published weights of timm and torchvision instead of random ones", kinds.switch())
    repeats: int = option(
        1,
        "initialisations, each with a batch of its own; shown is the mean score with its standard error",
        kinds.whole(1, MAX_REPEATS),
    )

    def __post_init__(self) -> None:
        for name, entry in OPTIONS.items():
            object.__setattr__(self, name, checked(entry, getattr(self, name), name))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each repeat: of its batch, of the weights and of what networks draw in it."""
        return tuple(seed_of(repeat, self.seed) for repeat in range(self.repeats))


OPTIONS = options_of(ScoreConfig)
DEFAULTS = ScoreConfig()
