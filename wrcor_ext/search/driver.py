"""The search loop: ask for a group of candidates, evaluate them, write them down, tell the group."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, TypeVar

from wrcor_ext.errors import InputError
from wrcor_ext.latency import LatencySource
from wrcor_ext.search.callbacks import Watcher
from wrcor_ext.search.evaluator import Evaluator
from wrcor_ext.search.interruption import Interruption
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.pools import Pool
from wrcor_ext.search.timings import EVALUATE, Timings
from wrcor_ext.search.trial import Trial
from wrcor_ext.spaces import Space
from wrcor_ext.strategies import Strategy

A = TypeVar("A", bound=Hashable)


def run(
    journal: Journal,
    space: Space[A],
    strategy: Strategy[A],
    evaluator: Evaluator[A],
    pool: Pool[A],
    *,
    objective: Objective,
    budget: int,
    group: int,
    dedup: bool = True,
    latencies: LatencySource[A] | None = None,
    progress: Watcher,
    interruption: Interruption,
    timings: Timings,
) -> None:
    """Goes on from the journal's last checkpoint until it holds `budget` trials or an interruption is requested.

    Candidates are asked for and told in groups of `group`, in the order of their numbers, whoever evaluates them and in
    whatever order: the trials and the final result do not depend on that. Stopped at any moment and called again with a
    fresh strategy of the same options, it ends with the same journal. An architecture that is isomorphic to an earlier
    one of the run is not evaluated: it takes over the earlier one's scores, and the strategy is told them. Without
    `dedup`, each is evaluated, even one that was proposed before.

    Args:
        journal: of the run.
        space: that the architectures belong to.
        strategy: fresh; its state is restored from the journal.
        evaluator: counts the cost of architectures that are not evaluated.
        pool: answers for architectures not seen before.
        objective: what the strategy is told of a trial.
        budget: number of trials. A strategy that proposes fewer than it is asked for has no more: it ends the run, and
            the journal remembers that.
        group: candidates asked for at a time.
        dedup: whether isomorphic architectures are evaluated once.
        latencies: asked for each candidate while the pool is idle, before its group is evaluated; None where nobody
            wants to know them.
        progress: is shown each trial.
        interruption: is looked at before each trial.
        timings: is told where the time goes.

    Raises:
        KeyboardInterrupt: the running trials are lost then, the finished ones are kept.
        WrcorError: if the disk refuses, likewise.
    """
    told, state = journal.told()
    if state is not None:
        strategy.restore(state)
    exhausted = journal.exhausted
    while told < budget and not exhausted and not interruption.requested:
        with timings.phase("ask"):
            archs = strategy.ask(group)
        # The rest of a group that is cut off by the budget is asked for again, should the budget grow.
        members = _Group(journal, space, told, archs[: budget - told], timings)
        if latencies is not None:
            with timings.phase(EVALUATE):
                members.time(latencies, interruption)
            if interruption.requested:  # not all are timed
                return
        for trial in members.evaluated(evaluator, pool, interruption, dedup=dedup):
            with timings.phase("display"):
                progress.show(trial)
        if len(members.finished) < len(archs):
            return
        with timings.phase("tell"):
            strategy.tell([(arch, objective.values(members.finished[n])) for n, arch in enumerate(archs, told)])
        told += len(archs)
        exhausted = len(archs) < group
        with timings.phase("journal"):
            journal.checkpoint(told, strategy.state(), exhausted=exhausted)


class _Group(Generic[A]):
    """The candidates that were asked for together, of which the journal may hold some already."""

    def __init__(self, journal: Journal, space: Space[A], first: int, archs: Sequence[A], timings: Timings) -> None:
        self._journal = journal
        self._timings = timings
        self._first = first
        self._archs = dict(enumerate(archs, start=first))
        self._texts = {number: space.format(arch) for number, arch in self._archs.items()}
        self._keys = {number: space.key(arch) for number, arch in self._archs.items()}
        self._latencies: dict[int, float | None] = {}
        self.finished = journal.numbered(first, len(archs))
        for number, trial in self.finished.items():
            if trial.architecture != self._texts[number]:
                raise InputError(
                    f"{journal.path} holds {trial.architecture} as trial {number}, where this strategy proposes "
                    f"{self._texts[number]}: it is not a journal of this run"
                )

    def time(self, latencies: LatencySource[A], interruption: Interruption) -> None:
        """Finds out the latency of each candidate that is not finished, unless the search is being stopped."""
        for number, arch in self._archs.items():
            if number not in self.finished and not interruption.requested:
                latency = latencies.milliseconds(arch)
                self._latencies[number] = latency if math.isfinite(latency) else None

    def evaluated(
        self, evaluator: Evaluator[A], pool: Pool[A], interruption: Interruption, *, dedup: bool
    ) -> Iterator[Trial]:
        """Finishes what is not finished yet; each trial is committed before it is handed out."""
        kinds = self._keys if dedup else {number: str(number) for number in self._archs}
        firsts: dict[str, int] = {}
        for number, kind in kinds.items():
            firsts.setdefault(kind, number)
        with self._timings.phase("ask"):
            earlier = {kind: self._journal.scored(kind, before=self._first) if dedup else None for kind in firsts}
        new = [n for n, kind in kinds.items() if earlier[kind] is None and firsts[kind] == n and n not in self.finished]
        with_results = pool.results([self._archs[n] for n in new], lambda: interruption.requested)
        while True:
            with self._timings.phase(EVALUATE):
                found = next(with_results, None)
            if found is None:
                break
            index, cost, evaluation = found
            number = new[index]
            latency = self._latencies.get(number)
            yield self._commit(
                Trial(number, self._texts[number], self._keys[number], cost, evaluation, latency=latency)
            )
        for number, kind in kinds.items():
            source = earlier[kind] or self.finished.get(firsts[kind])
            # Without a source its first of kind was not evaluated: the search is being stopped.
            if number in self.finished or source is None:
                continue
            with self._timings.phase(EVALUATE):
                same = source.architecture == self._texts[number]
                cost = source.cost if same else evaluator.cost(self._archs[number])
            yield self._commit(source.repeated(number, self._texts[number], cost, self._latencies.get(number)))

    def _commit(self, trial: Trial) -> Trial:
        with self._timings.phase("journal"):
            self._journal.append(trial)
        self.finished[trial.trial] = trial
        return trial
