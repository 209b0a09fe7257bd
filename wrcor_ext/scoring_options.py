"""The options that every command that scores networks has: one meaning, one check, one help text."""

from __future__ import annotations

import dataclasses

from wrcor_ext import data, votes
from wrcor_ext import options as kinds
from wrcor_ext import proxies as registry
from wrcor_ext.data import MAX_IMAGE_SIZE
from wrcor_ext.options import option
from wrcor_ext.recorder import RULES, Rule
from wrcor_ext.score_input import AMP_TYPES, MAX_IMAGES, Amp, Tail

# More than any machine has cores; OpenMP ends the whole process where it cannot start the threads asked for.
MAX_THREADS = 1024

# What may be scored, in words.
SCORES = f"{', '.join((*registry.names(), *votes.NAMED))} or {votes.expression.SYNTAX}"


@dataclasses.dataclass(frozen=True)
class ScoringOptions:
    """What is computed, on which images; each field's metadata holds its help text and allowed values."""

    proxies: tuple[str, ...] = option(
        ("wrcor",),
        "scores to compute, and votes over them; the first one ranks, others are recorded beside it",
        kinds.choices(SCORES, lambda name: votes.lookup(name).name),
    )
    rule: Rule = option(  # noqa: RUF009 (a field, not a shared default)
        "activations",
        "what counts as a response; 'reference' gives the numbers of the published code",
        kinds.choice(RULES),
    )
    tail: Tail = option(  # noqa: RUF009 (likewise)
        "auto",
        "levels at the end of the network that count; 'auto' omits those whose weights do not matter",
        kinds.optional(kinds.whole(1), "all levels", {"auto": "auto"}),
    )
    amp: Amp = option(  # noqa: RUF009 (likewise)
        None,
        "lower precision of forward and backward (automatic mixed precision)",
        kinds.optional(kinds.choice(AMP_TYPES), "the model's own precision"),
    )
    device: str = option("cpu", "where the networks run", kinds.text("cpu, cuda, cuda:1 or another device of torch"))
    dataset: str = option(
        "photos", "images to score on", kinds.text(", ".join(s.syntax for s in data.sources())), aliases=("data",)
    )
    data_root: str | None = option(
        None,
        "folder of the torchvision data sets",
        kinds.optional(kinds.text("a folder"), "not needed"),
        role="adjustable",
    )
    download: bool = option(False, "download the data set into --data-root if missing", kinds.switch(), role="session")
    augment: bool = option(True, "flip and crop the images as published", kinds.switch())
    batch_size: int = option(64, "images in the one batch that all networks are scored on", kinds.whole(2, MAX_IMAGES))
    image_size: int | None = option(
        None,
        "height and width of the images in pixels",
        kinds.optional(kinds.whole(1, MAX_IMAGE_SIZE), "the space's own; 32 without a space"),
    )
    seed: int = option(
        0, "seed of the batch, the initial weights and the candidates of a search", kinds.whole(0, 2**63 - 1)
    )
    threads: int | None = option(
        None, "CPU threads", kinds.optional(kinds.whole(1, MAX_THREADS), "as many as torch takes"), role="adjustable"
    )
    explain: bool = option(
        False, "print which passes the proxies take together, and score nothing", kinds.switch(), role="session"
    )
    json: bool = option(False, "print JSON instead of a table", kinds.switch(), role="session")

    @property
    def members(self) -> tuple[str, ...]:
        """All proxies that are to be computed: those asked for and those that vote."""
        return votes.members(self.proxies)
