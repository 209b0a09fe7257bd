"""`--refine`: the leading candidates on further batches and initialisations, as long as they are near ties.

One batch and one draw of the weights decide a score. Whoever leads by less than such accidents amount to may not be the
best; whoever is clearly behind need not be looked at again. All see the same batches, so differences are taken repeat
by repeat, where what the candidates have in common cancels.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wrcor_ext.search.trial import Trial, direction

# The candidates that a search shows.
LEADERS = 5

# The spread of fewer differences says little about what further ones will be.
FIRST_LOOK = 4

# A lead of more than so many standard errors is no near tie. Of four differences, one in 35 is so by accident.
CLEAR_LEAD = 3.0


@dataclass(frozen=True)
class Leader:
    """One of the best candidates.

    Attributes:
        trial: it was found in.
        mean: of the first proxy over the repeats.
        standard_error: of that mean; None of one repeat.
        repeats: batches and initialisations that it was scored on, the trial's own included.
    """

    trial: Trial
    mean: float
    standard_error: float | None = None
    repeats: int = 1


def leader(trial: Trial) -> Leader:
    """A candidate that was scored once."""
    assert trial.objective is not None
    return Leader(trial, _turned(trial, trial.objective))


def refine(
    trials: Sequence[Trial], objective: Callable[[Trial, int], float | None], repeats: int, stop: Callable[[], bool]
) -> list[Leader] | None:
    """Scores candidates again until one leads clearly, or each was scored `repeats` times.

    Args:
        trials: the best, best first; all have an objective.
        objective: of a trial's architecture in the repeat of this number (1, 2, ...), higher is better; None without
            a score.
        repeats: at most so many, the trial's own included.
        stop: true where no further score is to be begun.

    Returns:
        The candidates, best first: those that stayed near ties to the end by their means, before them nobody, behind
        them those that fell behind, the last one to do so first. None if stopped.
    """
    values = {trial.trial: [value] for trial in trials if (value := trial.objective) is not None}
    by_number = {trial.trial: trial for trial in trials}
    tied, behind = list(values), list[int]()
    for repeat in range(1, repeats):
        if len(tied) < 2:
            break
        without_score = []
        for number in tied:
            if stop():
                return None
            value = objective(by_number[number], repeat)
            if value is None:
                without_score.append(number)
            else:
                values[number].append(value)
        tied = _best_first([number for number in tied if number not in without_score], values)
        losers = [n for n in tied[1:] if _clear(values[tied[0]], values[n])] if repeat + 1 >= FIRST_LOOK else []
        tied = [number for number in tied if number not in losers]
        behind = [*losers, *without_score, *behind]
    return [_leader(by_number[number], values[number]) for number in [*tied, *behind]]


def _best_first(numbers: Sequence[int], values: dict[int, list[float]]) -> list[int]:
    return sorted(numbers, key=lambda number: -statistics.fmean(values[number]))


def _clear(ahead: Sequence[float], other: Sequence[float]) -> bool:
    lead = [a - b for a, b in zip(ahead, other, strict=True)]
    return statistics.fmean(lead) > CLEAR_LEAD * _standard_error(lead)


def _standard_error(values: Sequence[float]) -> float:
    return float(statistics.stdev(values) / len(values) ** 0.5)


def _leader(trial: Trial, values: Sequence[float]) -> Leader:
    error = _standard_error(values) if len(values) > 1 else None
    return Leader(trial, _turned(trial, statistics.fmean(values)), error, len(values))


def _turned(trial: Trial, objective: float) -> float:
    """The proxy's own value of an objective."""
    return direction(next(iter(trial.evaluation.scores))) * objective
