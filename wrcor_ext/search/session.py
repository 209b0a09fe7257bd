"""One run of the search command, once all is made that it takes: the loop, refining, files and what it says."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console

from wrcor_ext.data import Batch
from wrcor_ext.errors import WrcorError
from wrcor_ext.latency import LatencySource
from wrcor_ext.repeats import seed_of
from wrcor_ext.search import callbacks, driver, pools, summary
from wrcor_ext.search.arguments import COMMAND
from wrcor_ext.search.evaluator import InProcessEvaluator
from wrcor_ext.search.front import Standing
from wrcor_ext.search.interruption import Interruption
from wrcor_ext.search.latencies import KeptLatency
from wrcor_ext.search.progress import Progress
from wrcor_ext.search.refine import Leader, Scores, refine
from wrcor_ext.search.setup import batch_of, part_in_words
from wrcor_ext.search.study import Study
from wrcor_ext.search.timings import EVALUATE, Timings
from wrcor_ext.search.trial import Trial
from wrcor_ext.spaces import Space
from wrcor_ext.strategies import Strategy


@dataclass
class Session:
    """A search that goes on with a study until its budget is spent, or it is stopped.

    Attributes:
        study: open.
        space: within its limits.
        strategy: fresh.
        batch: the images and labels.
        latencies: asked for the latency of each candidate; None where nobody wants to know them.
        make_pool: makes whoever evaluates candidates.
        watching: is shown each trial, and entered already.
        messages: where the user is told what happens.
    """

    study: Study
    space: Space[Any]
    strategy: Strategy[Any]
    batch: Batch
    latencies: LatencySource[Any] | None
    make_pool: pools.Make
    watching: callbacks.Callbacks
    messages: Console
    _timings: Timings = field(default_factory=Timings, init=False)
    _interruption: Interruption = field(default_factory=Interruption, init=False)

    def run(self) -> int:
        """Searches, refines, writes the files and prints the summary.

        Returns:
            The exit code: 0, or that of a stopped process.

        Raises:
            WrcorError: if the disk refuses, or no candidate has a score; what is finished is in the journal.
        """
        study, config = self.study, self.study.config
        self._announce()
        if isinstance(self.latencies, KeptLatency):
            self.latencies.keep_in(study.journal, self._timings)
        with self._interruption:
            if not study.merged:
                self._search()
            leaders: Sequence[Leader] = study.leaders()
            refined = self._refined(leaders) if config.refine else leaders
            leaders = leaders if refined is None else refined
            written = study.export(leaders)
            self.watching.exhausted = study.journal.exhausted
        summary.show(study, leaders, written, self._timings, as_json=config.json)
        return self._conclude(leaders, refined=refined is not None)

    def _announce(self) -> None:
        study = self.study
        if study.complete:
            rest = "its best are scored again" if study.config.refine else "nothing left to do"
            self._say(f"{study.folder} is complete with {study.resumed} trials: {rest}")
        elif study.resumed:
            self._say(f"resuming {study.folder} after trial {study.resumed - 1}")
        else:
            self._say(f"searching into {study.folder}")
        if study.config.part is not None and not study.complete:
            self._say(part_in_words(study.config))

    def _search(self) -> None:
        """Runs the loop; a second wish to stop ends it at once."""
        study, config = self.study, self.study.config
        evaluator = InProcessEvaluator(self.space, self.batch, pools.here(config))
        # Only looked at on a terminal: all trials are read for it.
        standing = study.standing() if self.messages.is_terminal else Standing(study.objective)
        progress = Progress(self.messages, budget=config.own_budget, done=study.resumed, standing=standing)
        # Interrupted, the running trials are dropped; all finished ones are in the journal.
        with suppress(KeyboardInterrupt), progress, self.make_pool(config, self.space, self.batch, evaluator) as pool:
            driver.run(
                study.journal,
                self.space,
                self.strategy,
                evaluator,
                pool,
                objective=study.objective,
                budget=config.own_budget,
                group=config.group,
                dedup=config.dedup,
                latencies=self.latencies,
                progress=callbacks.Watchers(progress, self.watching),
                interruption=self._interruption,
                timings=self._timings,
            )

    def _refined(self, leaders: Sequence[Leader]) -> list[Leader] | None:
        """The leaders after `--refine`; None if that was interrupted."""
        config = self.study.config
        with suppress(KeyboardInterrupt), self._timings.phase(EVALUATE):
            return refine([one.trial for one in leaders], config.objective, self._rescored, config.refine)
        return None

    def _rescored(self, trials: Sequence[Trial], repeat: int) -> dict[int, Scores] | None:
        """The scores of trials on other images with other weights; None if that was interrupted."""
        if self._interruption.requested:
            return None
        config = self.study.config
        other = replace(config, seed=seed_of(repeat, config.seed))
        batch = batch_of(other, self.batch.images.shape[-1])
        archs = [self.space.parse(trial.architecture) for trial in trials]
        evaluator = InProcessEvaluator(self.space, batch, pools.here(other))
        with self.make_pool(other, self.space, batch, evaluator) as pool:
            found = list(pool.results(archs, lambda: self._interruption.requested))
        scores = {trials[index].trial: evaluation.scores for index, _, evaluation in found}
        return scores if len(scores) == len(trials) else None

    def _conclude(self, leaders: Sequence[Leader], *, refined: bool) -> int:
        """Says why there are fewer trials than the budget, and how to go on; returns the exit code."""
        study, budget = self.study, self.study.config.own_budget
        done = study.journal.count()
        if study.journal.exhausted and done < budget:
            self._say(
                f"the space is exhausted after {done} of {budget} trials: "
                f"{study.config.strategy} has nothing more to propose"
            )
        if not study.complete or not refined:
            where = "before the best were refined" if study.complete else f"after {done} of {budget} trials"
            resume = shlex.join([*COMMAND.split(), "--out", str(study.folder), "--resume"])
            self._say(f"stopped {where}; to go on: {resume}")
            return self._interruption.exit_code
        if not leaders:
            raise WrcorError(
                f"none of {done} candidates could be scored, most often because: "
                f"{study.journal.commonest_reason() or f'not all of {study.objective.name} are known'}"
            )
        return 0

    def _say(self, text: str) -> None:
        self.messages.print(text, markup=False)
