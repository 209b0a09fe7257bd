"""Run folders that are looked at: nothing in them is changed, and a search may be running in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from wrcor_ext.errors import InputError
from wrcor_ext.search import config as configs
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.files import is_locked
from wrcor_ext.search.front import Front, leading, shown_ranks
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.refine import Leader, leader
from wrcor_ext.search.study import JOURNAL

State = Literal["running", "stopped", "complete"]


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it.

    Attributes:
        folder: of the run.
        config: its options.
        environment: what it depends on besides, as recorded at its start.
        journal: its trials.
        state: whether a process is at it, it was stopped before its end, or neither.
    """

    folder: Path
    config: SearchConfig
    environment: dict[str, Any]
    journal: Journal
    state: State

    @cached_property
    def front(self) -> Front | None:
        """Of several objectives, the candidates that no other dominates; None of one objective."""
        return leading(self.journal, self.config.objective, 0)[1] if self.config.objective.is_front else None

    def leaders(self, count: int) -> list[Leader]:
        """The best candidates, best first; once the run has ended, those come first that refining ordered.

        Of several objectives, the first ones of the front.
        """
        if self.front is not None:
            return [leader(self.journal.trial(number)) for number in self.front.trials[:count].tolist()]
        found, _ = leading(self.journal, self.config.objective, count)
        refined = [] if self.state == "running" else self._refined()
        numbers = {one.trial.trial for one in refined}
        return [*refined, *(leader(self.journal.trial(number)) for number in found if number not in numbers)][:count]

    def shown(self, count: int) -> dict[int, Leader]:
        """The best candidates by rank, as many as are to be shown; of a front evenly spread over it."""
        if self.front is None:
            return dict(enumerate(self.leaders(count), start=1))
        numbers = self.front.trials
        ranks = shown_ranks(len(numbers), count)
        return {rank: leader(self.journal.trial(numbers[rank - 1].item())) for rank in ranks}

    def _refined(self) -> list[Leader]:
        try:
            best = json.loads((self.folder / "best.json").read_text(encoding="utf-8"))
            return [self._leader(facts) for facts in (best, *best["runners_up"])]
        except (OSError, ValueError, KeyError, TypeError):  # not refined, or the file is the user's own
            return []

    def _leader(self, facts: dict[str, Any]) -> Leader:
        trial = self.journal.trial(facts["trial"])
        if "refined" not in facts:
            return leader(trial)
        refined = facts["refined"]
        return Leader(trial, dict(refined["mean"]), dict(refined["standard_error"]), refined["repeats"])


@contextmanager
def opened(folder: Path) -> Iterator[Run]:
    """The run in a folder.

    Raises:
        InputError: if there is none, or none that this release reads.
    """
    path = folder / JOURNAL
    if not path.is_file():
        raise InputError(f"there is no run in {folder}: it holds no {JOURNAL}")
    journal = Journal(path, read_only=True)
    try:
        record = {} if journal.is_new else journal.record()
        if "config" not in record:
            raise InputError(f"the run in {folder} has not begun: its {JOURNAL} is empty")
        config = configs.resolve(configs.from_mapping(record["config"], f"the run in {folder}"))
        state: State = "complete" if journal.exhausted or journal.count() >= config.own_budget else "stopped"
        if is_locked(folder):
            state = "running"
        yield Run(folder, config, record["environment"], journal, state)
    finally:
        journal.close()
