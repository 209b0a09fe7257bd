"""The search loop on a toy space: interrupted anywhere, it ends the same."""

from __future__ import annotations

import contextlib
import io
import math
import signal
import time

import pytest
from helpers.every_strategy import EVERY_STRATEGY
from helpers.toy import ToyEvaluator, ToySpace
from rich.console import Console

from wrcor_ext import strategies
from wrcor_ext.errors import InputError
from wrcor_ext.search import driver
from wrcor_ext.search.front import Standing
from wrcor_ext.search.interruption import Interruption
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.pools import InProcess
from wrcor_ext.search.progress import Progress
from wrcor_ext.search.timings import Timings
from wrcor_ext.search.trial import Evaluation, Trial

BUDGET = 40


def quiet_progress():
    return Progress(Console(file=io.StringIO()), budget=BUDGET, done=0, standing=Standing(Objective.named("wrcor")))


def objective_of(name):
    """A proxy, a vote, or several objectives, each with a minus where less is better."""
    if ", " not in name:
        return Objective.named(name)
    goals = name.split(", ")
    less = [goal[1:] for goal in goals if goal.startswith("-")]
    return Objective.of([goal for goal in goals if not goal.startswith("-")], less)


def fresh(name, objective="wrcor"):
    sizes = {"population_size": 6, "tournament_size": 3, "warm_up": 6, "learning_rate": 0.1}
    return strategies.create(name, ToySpace(), seed=1, preference=objective_of(objective), **sizes)


def search(
    journal,
    name,
    *,
    objective="wrcor",
    budget=BUDGET,
    evaluator=None,
    strategy=None,
    progress=None,
    interruption=None,
    group=1,
    dedup=True,
    pool=None,
    latencies=None,
):
    timings = Timings()
    evaluator = evaluator or ToyEvaluator()
    strategy = strategy or fresh(name, objective)
    with contextlib.suppress(KeyboardInterrupt):
        driver.run(
            journal,
            ToySpace(),
            strategy,
            evaluator,
            pool or InProcess(evaluator),
            objective=objective_of(objective),
            budget=budget,
            group=group,
            dedup=dedup,
            latencies=latencies,
            progress=progress or quiet_progress(),
            interruption=interruption or Interruption(),
            timings=timings,
        )
    return evaluator, timings


@pytest.fixture(params=EVERY_STRATEGY)
def name(request):
    return request.param


@pytest.fixture
def new_journal(tmp_path):
    opened = []

    def make(name="trials.sqlite"):
        journal = Journal(tmp_path / name)
        if journal.is_new:
            journal.create({"config": {}, "environment": {}})
        opened.append(journal)
        return journal

    yield make
    for journal in opened:
        journal.close()


def whole(new_journal, name, group=1, objective="wrcor"):
    journal = new_journal("whole.sqlite")
    search(journal, name, group=group, objective=objective)
    return journal.fingerprint()


@pytest.fixture(params=["wrcor", "vote:rank(wrcor,-naswot)"])
def objective(request):
    """What is maximised: a proxy, a vote."""
    return request.param


@pytest.fixture(params=[1, 6])
def group(request):
    """Candidates asked for at a time; six do not divide the budget."""
    return request.param


def test_two_runs_of_one_seed_are_one(new_journal, name):
    journal = new_journal()
    search(journal, name)
    assert journal.fingerprint() == whole(new_journal, name)
    assert journal.count() == BUDGET


@pytest.mark.parametrize("first", [0, 1, 5, 6, 7, 20, 39, 40])
def test_resumed_after_any_trial_it_ends_the_same(new_journal, name, first, group, objective):
    journal = new_journal()
    search(journal, name, budget=first, group=group, objective=objective)
    assert journal.count() == first
    journal.close()
    journal = new_journal()
    search(journal, name, group=group, objective=objective)
    assert journal.fingerprint() == whole(new_journal, name, group, objective)


@pytest.mark.parametrize("call", [4, 8, 13])
def test_interrupted_in_the_evaluation_it_ends_the_same(new_journal, name, call, group, objective):
    journal = new_journal()
    search(journal, name, evaluator=ToyEvaluator(interrupt_at=call), group=group, objective=objective)
    assert call <= journal.count() < BUDGET
    search(journal, name, group=group, objective=objective)
    assert journal.fingerprint() == whole(new_journal, name, group, objective)


class Backwards:
    """Workers that finish the last candidate of a group first.

    Args:
        evaluator: does the work.
        cut: number of the group, or of the first of several candidates from there on, of which only one is finished.
    """

    def __init__(self, evaluator, cut=math.inf):
        self._evaluator = evaluator
        self._groups_to_cut = cut

    def results(self, archs, stop):
        self._groups_to_cut -= 1
        for index, arch in reversed(list(enumerate(archs))):
            if stop():
                return
            yield index, self._evaluator.cost(arch), self._evaluator.evaluate(arch)
            if self._groups_to_cut < 0 and len(archs) > 1:
                raise KeyboardInterrupt


def test_the_order_of_finishing_makes_no_difference(new_journal, name, objective):
    journal, evaluator = new_journal(), ToyEvaluator()
    search(journal, name, group=6, evaluator=evaluator, pool=Backwards(evaluator), objective=objective)
    assert journal.fingerprint() == whole(new_journal, name, 6, objective)


def test_with_several_objectives_it_ends_the_same_too(new_journal, name):
    objective, journal, evaluator = "wrcor, -flops", new_journal(), ToyEvaluator()
    search(journal, name, budget=20, group=6, objective=objective)
    search(journal, name, group=6, evaluator=evaluator, pool=Backwards(evaluator), objective=objective)
    assert journal.fingerprint() == whole(new_journal, name, 6, objective)


def test_what_is_maximised_decides_the_proposals_of_evolution(new_journal):
    texts = set()
    for number, one in enumerate(("wrcor", "naswot", "vote:rank(wrcor,naswot)", "wrcor, -flops")):
        journal = new_journal(f"{number}.sqlite")
        search(journal, "evolution", objective=one)
        texts.add(tuple(trial.architecture for trial in journal.trials()))
    assert len(texts) == 4


@pytest.mark.parametrize("cut", [0, 1, 4])
def test_a_group_of_which_only_the_last_is_finished_is_completed(new_journal, name, cut):
    journal, evaluator = new_journal(), ToyEvaluator()
    search(journal, name, group=6, evaluator=evaluator, pool=Backwards(evaluator, cut))
    numbers = [trial.trial for trial in journal.trials()]
    assert numbers != list(range(len(numbers)))
    again = ToyEvaluator()
    search(journal, name, group=6, evaluator=again)
    assert journal.fingerprint() == whole(new_journal, name, 6)
    assert not {ToySpace().key(arch) for arch in again.calls} & {ToySpace().key(arch) for arch in evaluator.calls}


def test_a_journal_of_another_run_is_refused(new_journal, name):
    journal = new_journal()
    search(journal, name, group=6, budget=4)
    journal._db.execute("UPDATE trials SET architecture = '4-4-4-4'")
    with pytest.raises(InputError, match="holds 4-4-4-4 as trial 0, where this strategy proposes"):
        search(journal, name, group=6)


def test_a_strategy_without_further_proposals_ends_the_run(new_journal):
    strategy = strategies.create("random", ToySpace(), seed=1)
    ask, left = strategy.ask, [6, 6, 2]
    strategy.ask = lambda n: ask(left.pop(0))
    journal = new_journal()
    search(journal, "random", group=6, strategy=strategy)
    assert (journal.count(), journal.exhausted) == (14, True)
    strategy.ask = None  # Nobody asks again.
    search(journal, "random", group=6, strategy=strategy, budget=2 * BUDGET)
    assert journal.count() == 14


@pytest.mark.parametrize("group", [1, 25, 24])
def test_a_space_is_searched_to_its_end_and_not_beyond(new_journal, group):
    """Groups that divide the 625, and one that does not; stopped at any of the last three and resumed."""
    for strategy in ("exhaustive", "random"):
        whole = new_journal(f"{strategy}.sqlite")
        search(whole, strategy, group=group, budget=1000)
        trials = [trial.architecture for trial in whole.trials()]
        assert whole.exhausted
        assert len(trials) == len(set(trials)) == 625
        assert (trials == list(map(ToySpace().format, ToySpace().enumerate()))) == (strategy == "exhaustive")
        parts = new_journal(f"{strategy}-parts.sqlite")
        for budget in (600, 624, 625, 626, 1000):
            search(parts, strategy, group=group, budget=budget)
            assert parts.count() == min(budget, 625)
            assert parts.exhausted == (budget > 625 or (group == 24 and budget == 625))
        assert parts.fingerprint() == whole.fingerprint()


def test_interrupted_between_tell_and_checkpoint_it_ends_the_same(new_journal, name):
    journal = new_journal()
    strategy = fresh(name)
    count, state = 0, strategy.state

    def interrupted_state():
        nonlocal count
        count += 1
        if count == 9:
            raise KeyboardInterrupt
        return state()

    strategy.state = interrupted_state
    search(journal, name, strategy=strategy)
    assert (journal.count(), journal.told()[0]) == (9, 8)
    search(journal, name)
    assert journal.fingerprint() == whole(new_journal, name)


def test_a_requested_stop_finishes_the_running_trial(new_journal, name):
    journal, interruption = new_journal(), Interruption()

    class Stopping(ToyEvaluator):
        def evaluate(self, arch):
            if len(self.calls) == 4:
                interruption.signal = 2
            return super().evaluate(arch)

    evaluator, _ = search(journal, name, evaluator=Stopping(), interruption=interruption)
    assert len(evaluator.calls) == 5
    assert [trial.trial for trial in journal.trials() if trial.duplicate_of is None][-1] == journal.count() - 1


def test_isomorphic_candidates_are_scored_once_and_keep_their_own_cost(new_journal, name):
    journal = new_journal()
    evaluator, _ = search(journal, name)
    space, first = ToySpace(), {}
    for trial in journal.trials():
        arch = space.parse(trial.architecture)
        assert trial.cost == space.cost(arch)
        earlier = first.setdefault(space.key(arch), trial)
        assert trial.duplicate_of == (None if earlier is trial else earlier.trial)
        assert trial.evaluation.scores == ToyEvaluator().evaluate(arch).scores
        assert trial.evaluation.seconds == 0 or trial.duplicate_of is None
    assert len(evaluator.calls) == len(first) < BUDGET


def test_without_dedup_every_candidate_is_scored(new_journal, name, group):
    journal = new_journal()
    evaluator, _ = search(journal, name, group=group, dedup=False)
    trials = list(journal.trials())
    assert len(evaluator.calls) == len(trials) == BUDGET > len({trial.key for trial in trials})
    assert not journal.duplicates()
    interrupted = new_journal("interrupted.sqlite")
    search(interrupted, name, group=group, dedup=False, evaluator=ToyEvaluator(interrupt_at=17))
    search(interrupted, name, group=group, dedup=False)
    assert interrupted.fingerprint() == journal.fingerprint()


def test_the_strategy_is_told_each_trial_in_order_and_none_without_a_score(new_journal, name):
    journal = new_journal()
    strategy = fresh(name)
    told, tell = [], strategy.tell

    def listening(results):
        told.extend(results)
        tell(results)

    strategy.tell = listening
    search(journal, name, strategy=strategy)
    trials = list(journal.trials())
    scores = [trial.evaluation.scores["wrcor"] for trial in trials]
    assert told == [
        (ToySpace().parse(trial.architecture), None if score is None else (score,))
        for trial, score in zip(trials, scores, strict=True)
    ]
    assert {t.evaluation.status for t, s in zip(trials, scores, strict=True) if s is None} == {"degenerate"}


def test_the_time_is_accounted_for(new_journal, name):
    _, timings = search(new_journal(), name)
    assert set(timings.seconds) == {"ask", "evaluate", "tell", "journal", "display"}
    assert 0 < timings.bookkeeping < 1
    assert timings.total == pytest.approx(sum(timings.seconds.values()))


def test_counting_the_cost_is_work_on_the_candidate_and_is_done_once(new_journal):
    counted = []

    class Slow(ToyEvaluator):
        def cost(self, arch):
            counted.append(arch)
            time.sleep(0.01)
            return super().cost(arch)

    journal = new_journal()
    _, timings = search(journal, "evolution", evaluator=Slow())
    assert timings.seconds["evaluate"] >= 0.01 * len(counted)
    # Those that were scored are not counted again, other forms of them are: they may cost something else.
    scored = {trial.architecture for trial in journal.trials() if trial.duplicate_of is None}
    assert len({arch for arch in counted if ToySpace().format(arch) in scored}) == len(scored)
    assert sum(ToySpace().format(arch) in scored for arch in counted) == len(scored) < len(counted)


def test_a_damaged_checkpoint_is_named(new_journal):
    journal = new_journal()
    search(journal, "random", budget=2)
    journal._db.execute('UPDATE checkpoint SET strategy = \'{"strategy": "evolution"}\'')
    with pytest.raises(InputError, match="'evolution' cannot be restored into 'random'"):
        search(journal, "random")


def test_the_display_shows_rate_best_and_counts_on_a_terminal_only(new_journal):
    shown, silent = io.StringIO(), io.StringIO()
    for file, terminal in ((shown, True), (silent, False)):
        console = Console(file=file, force_terminal=terminal, width=160)
        progress = Progress(console, budget=BUDGET, done=0, standing=Standing(Objective.named("wrcor")))
        with progress:
            search(new_journal(f"{terminal}.sqlite"), "evolution", progress=progress)
            progress._bar.refresh()
    text = shown.getvalue()
    best = max(t.evaluation.scores["wrcor"] or 0 for t in new_journal("True.sqlite").trials())
    assert f"best wrcor {best:.2f}" in text
    assert "40/40" in text
    assert "seen before" in text
    assert "degenerate" in text
    assert "left" in text
    assert silent.getvalue() == ""


def test_of_a_vote_the_display_names_the_winner_between_the_best_so_far_and_each_newcomer():
    def shown(*scores):
        progress = Progress(
            Console(file=io.StringIO(), force_terminal=True), budget=9, done=0, standing=Standing(objective)
        )
        texts = []
        for number, (wrcor, naswot) in enumerate(scores):
            evaluation = Evaluation("ok", {"wrcor": wrcor, "naswot": naswot}, 0.1)
            progress.show(Trial(number, str(number), str(number), None, evaluation))
            texts.append(progress._best_text())
        return texts

    objective = Objective.named("vote:rank(wrcor,naswot)")
    name = "best by vote:rank(wrcor,naswot): trial"
    assert shown((None, None), (1.0, 1.0), (2.0, 0.0), (2.0, 1.0)) == [
        "no vote:rank(wrcor,naswot) yet", f"{name} 1", f"{name} 1", f"{name} 3",
    ]  # fmt: skip


class Stopwatch:
    """Latencies of the toy space; asks for a stop at the call of this number (from 0)."""

    def __init__(self, interruption=None, stop_at=None):
        self.interruption = interruption
        self.stop_at = stop_at
        self.calls = 0

    def milliseconds(self, arch):
        if self.calls == self.stop_at:
            self.interruption.signal = signal.SIGTERM
        self.calls += 1
        return math.inf if arch[0] == 4 else 1.0 + arch[1]


def latencies_of(journal):
    return [(trial.architecture, trial.latency) for trial in journal.trials()]


def test_every_trial_is_timed_duplicates_too(new_journal):
    journal = new_journal()
    search(journal, "random", group=6, latencies=Stopwatch())
    digits = [[int(digit) for digit in text.split("-")] for text, _ in latencies_of(journal)]
    assert [time for _, time in latencies_of(journal)] == [None if d[0] == 4 else 1.0 + d[1] for d in digits]
    assert journal.duplicates()


@pytest.mark.parametrize("call", [0, 4, 9, 23])
def test_stopped_while_candidates_are_timed_it_ends_the_same(new_journal, call):
    journal, interruption = new_journal(), Interruption()
    search(journal, "random", group=6, latencies=Stopwatch(interruption, call), interruption=interruption)
    assert journal.count() % 6 == 0  # a group that is not timed as a whole is not begun
    assert journal.count() < BUDGET
    search(journal, "random", group=6, latencies=Stopwatch())
    other = new_journal("whole.sqlite")
    search(other, "random", group=6, latencies=Stopwatch())
    assert latencies_of(journal) == latencies_of(other)
    assert journal.fingerprint() == other.fingerprint()
