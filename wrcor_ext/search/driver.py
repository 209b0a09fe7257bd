"""The search loop: ask, evaluate, tell, write down."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

from wrcor_ext.search.evaluator import Evaluator
from wrcor_ext.search.interruption import Interruption
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.progress import Progress
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
    *,
    budget: int,
    progress: Progress,
    interruption: Interruption,
    timings: Timings,
) -> None:
    """Goes on from the journal's last trial until it holds `budget` of them or an interruption is requested.

    Each trial is committed together with the strategy's state after it. Stopped at any moment and called again with
    a fresh strategy of the same options, it ends with the same journal. An architecture that is isomorphic to an
    earlier one of the run is not evaluated: it takes over the earlier one's scores, and the strategy is told them.

    Args:
        journal: of the run.
        space: that the architectures belong to.
        strategy: fresh; its state is restored from the journal.
        evaluator: answers for architectures not seen before.
        budget: number of trials.
        progress: is shown each trial.
        interruption: is looked at before each trial.
        timings: is told where the time goes.

    Raises:
        KeyboardInterrupt: the running trial is lost then, the finished ones are kept.
        WrcorError: if the disk refuses, likewise.
    """
    state = journal.strategy_state()
    if state is not None:
        strategy.restore(state)
    for number in range(journal.count(), budget):
        if interruption.requested:
            break
        with timings.phase("ask"):
            (arch,) = strategy.ask(1)
            architecture, key = space.format(arch), space.key(arch)
            earlier = journal.scored(key)
        with timings.phase(EVALUATE):
            if earlier is None:
                trial = Trial(number, architecture, key, evaluator.cost(arch), evaluator.evaluate(arch))
            else:
                same = earlier.architecture == architecture
                trial = earlier.repeated(number, architecture, earlier.cost if same else evaluator.cost(arch))
        with timings.phase("tell"):
            strategy.tell([(arch, trial.objective)])
        with timings.phase("journal"):
            journal.append(trial, strategy.state())
        with timings.phase("display"):
            progress.show(trial)
