"""`--refine`: the leading candidates on further batches and initialisations, as long as they are near ties.

One batch and one draw of the weights decide a score. Whoever leads by less than such accidents amount to may not be the
best; whoever is clearly behind need not be looked at again. All see the same batches, so differences are taken repeat
by repeat, where what the candidates have in common cancels. The score of the search itself does not count: it is what
made the candidates the best, by merit or by luck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wrcor_ext.repeats import mean_and_error
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.trial import Trial

# The candidates that a search shows.
LEADERS = 5

# The spread of fewer differences says little about what further ones will be.
FIRST_LOOK = 4

# A lead of more than so many standard errors is no near tie. Of four differences, one in 35 is so by accident.
CLEAR_LEAD = 3.0

Scores = Mapping[str, float | None]

# From trials and the number of a repeat (1, 2, ...) to their scores in it by trial number; None if interrupted.
Rescore = Callable[[Sequence[Trial], int], Mapping[int, Scores] | None]


@dataclass(frozen=True)
class Leader:
    """One of the best candidates.

    Attributes:
        trial: it was found in.
        means: over the repeats by proxy name, None unless all of them have a score; the trial's own scores where there
            are no repeats.
        standard_errors: of the means, likewise; None of less than two repeats.
        repeats: batches and initialisations that it was scored on besides the trial's own.
    """

    trial: Trial
    means: Scores
    standard_errors: Scores
    repeats: int


def leader(trial: Trial, repeats: Sequence[Scores] = ()) -> Leader:
    """A candidate with its scores in repeats, if there were any."""
    found = repeats or [trial.evaluation.scores]
    summaries = {name: _summary([scores.get(name) for scores in found]) for name in trial.evaluation.scores}
    return Leader(
        trial,
        {name: mean for name, (mean, _) in summaries.items()},
        {name: error for name, (_, error) in summaries.items()},
        len(repeats),
    )


def refine(trials: Sequence[Trial], objective: Objective, rescore: Rescore, repeats: int) -> list[Leader] | None:
    """Scores candidates again until one leads clearly, or each was scored `repeats` times more.

    The order is that of the means; of a vote, that of the vote over the means of its members. A lead is clear if every
    member finds it so.

    Args:
        trials: the best, best first; all have a score.
        objective: of the search, one goal.
        rescore: scores them in a repeat.
        repeats: at most so many.

    Returns:
        The candidates, best first: those that stayed near ties to the end by their means, and behind them those that
        fell behind or had no score in a repeat, the last one to do so first. None if interrupted.
    """
    by_number = {trial.trial: trial for trial in trials}
    scores: dict[int, list[Scores]] = {number: [] for number in by_number}
    tied, behind = list(by_number), list[int]()
    for repeat in range(1, repeats + 1):
        if len(tied) < 2:
            break
        found = rescore([by_number[number] for number in tied], repeat)
        if found is None:
            return None
        scored = [number for number in tied if objective.values_of(found[number]) is not None]
        without_score = [number for number in tied if number not in scored]
        for number in scored:
            scores[number].append(found[number])
        means = [objective.values_of(leader(by_number[number], scores[number]).means) for number in scored]
        tied = [scored[place] for place in objective.order(means)]
        losers = []
        if repeat >= FIRST_LOOK:
            losers = [n for n in tied[1:] if _leads_clearly(scores[tied[0]], scores[n], objective)]
        tied = [number for number in tied if number not in losers]
        behind = [*losers, *without_score, *behind]
    return [leader(by_number[number], scores[number]) for number in [*tied, *behind]]


def _leads_clearly(first: Sequence[Scores], other: Sequence[Scores], objective: Objective) -> bool:
    """Whether every member that has an opinion finds one candidate clearly better than the other."""
    ahead, back = ([objective.values_of(scores) or () for scores in candidate] for candidate in (first, other))
    opinions = [_opinion(a, b) for a, b in zip(zip(*ahead, strict=True), zip(*back, strict=True), strict=True)]
    return True in opinions and False not in opinions


def _opinion(ahead: Sequence[float | None], back: Sequence[float | None]) -> bool | None:
    """Whether a member's values, repeat by repeat, are clearly higher; None where it has none for either."""
    if None in ahead:
        return None if None in back else False
    if None in back:
        return True
    lead, error = mean_and_error([a - b for a, b in zip(ahead, back, strict=True) if a is not None and b is not None])
    return lead > CLEAR_LEAD * (error or 0.0)


def _summary(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    known = [value for value in values if value is not None]
    return mean_and_error(known) if len(known) == len(values) else (None, None)
