"""The report of a run: its page holds what the journal does, whatever is missing in that."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from helpers.trials import trial

from wrcor_ext import spaces
from wrcor_ext.reporting import Candidates, sections
from wrcor_ext.search import report_file
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.front import Front
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.spaces import Cost

# As after a kill: trial 3 is not there.
TRIALS = [trial(0, 1.0), trial(1, None), trial(2, 5.0), trial(4, 3.0), trial(5, 1.0, duplicate_of=0)]


def page(trials, best, front=None, record=None, architecture=None, **options):
    config = SearchConfig(**{"proxies": ["wrcor", "naswot"], "budget": 6, **options})
    facts = {"environment": {}, **(record or {})}
    return report_file.html(config, facts, lambda: iter(trials), best, front, architecture).decode()


def tiles(html):
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html))


def test_the_best_of_a_report_are_found_where_numbers_are_missing():
    html = page(TRIALS, [TRIALS[2], TRIALS[3]])
    marks = re.findall(r"rank \d, trial \d: [\d.]+", html)
    assert marks == ["rank 2, trial 4: 3.00", "rank 1, trial 2: 5.00"]
    assert (tiles(html)["trials"], tiles(html)["seen before"], tiles(html)["failed"]) == ("5", "1", "1")


def test_columns_hold_what_candidates_hold():
    late = replace(TRIALS[3], evaluation=Evaluation("ok", {"wrcor": 2.0, "late": 7.0}, 0.5, "note"))
    trials = [*TRIALS[:3], late, TRIALS[4]]
    columns = Candidates.of(report_file.candidate(one, one.evaluation.scores["wrcor"]) for one in trials)
    assert len(columns) == 5
    assert columns.trial.tolist() == [0, 1, 2, 4, 5]
    np.testing.assert_array_equal(columns.objective, [1.0, np.nan, 5.0, 2.0, 1.0])
    assert columns.own.tolist() == [0, 1, 2, 3]
    assert [columns.architecture(number) for number in (0, 1, 2, 4)] == ["arch 0", "arch 1", "arch 2", "arch 4"]
    np.testing.assert_array_equal(columns.scores["late"], [np.nan, np.nan, np.nan, 7.0])
    np.testing.assert_array_equal(columns.scores["naswot"], [0.1, 0.1, 0.1, np.nan])
    assert columns.seconds == 4 * 0.25 + 0.5
    failures = {kind: (found.count, found.first) for kind, found in columns.failures.items()}
    assert failures == {("failed", "RuntimeError: no"): (1, 1), ("ok", "note"): (1, 4)}


def test_of_a_long_run_few_architectures_are_looked_up_and_none_is_kept(monkeypatch):
    monkeypatch.setattr(sections, "MAX_READ", 25)
    space, generator = spaces.get("nasbench201"), np.random.default_rng(0)
    texts = [space.format(space.sample(generator)) for _ in range(60)]
    trials = [replace(trial(number, float(number)), architecture=text) for number, text in enumerate(texts)]
    asked = []
    html = page(trials, trials[-1:], architecture=lambda number: asked.append(number) or texts[number])
    assert asked == list(range(59, -1, -3))  # by rank, which is the reverse of the numbers here
    assert "<h2>Operations</h2>" in html


@pytest.mark.parametrize(
    ("options", "record", "sentence"),
    [
        ({"budget": 5}, {}, "Complete: 5 trials."),
        ({}, {}, "Stopped after 5 of 6 trials."),
        ({}, {"exhausted": True}, "Complete after 5 of 6 trials: the strategy has nothing more to propose."),
        (
            {"max_params": 1.5e6, "max_latency": 2.0},
            {},
            "Stopped after 5 of 6 trials. Limits: parameters at most 1.50 M, latency at most 2.00 ms.",
        ),
        (
            {"maximize": ["wrcor"], "minimize": ["latency", "params"]},
            {},
            "Stopped after 5 of 6 trials. Maximises wrcor. Minimises latency, parameters.",
        ),
    ],
)
def test_it_says_how_far_the_run_is_and_within_which_limits(options, record, sentence):
    assert f"<p>{sentence}</p>" in page(TRIALS, [TRIALS[2]], record=record, **options)


def test_the_front_is_that_of_the_run_with_its_costs():
    # An isomorphic candidate may cost less; trial 7 lacks a cost, trial 1 a score.
    cheaper = TRIALS[2].repeated(6, "cheaper arch", Cost(5, 20, 2_000_000, 17))
    trials = [*TRIALS, cheaper, replace(trial(7, 9.0), cost=None), trial(8, 6.0, cost=Cost(50, 20))]
    config = SearchConfig(maximize=["wrcor"], minimize=["flops"], proxies=["naswot"], budget=9)
    front = Front.of(config.objective, *config.objective.table(trials))
    assert front.trials.tolist() == [8, 6]  # trial 2 is as good as 6, and dearer
    html = page(trials, [trials[7], trials[5]], front, maximize=["wrcor"], minimize=["flops"], budget=9)
    assert re.findall(r"rank \d, trial \d: [^<]+", html) == [
        "rank 1, trial 8: wrcor 6.00, FLOPs 50.0", "rank 2, trial 6: wrcor 5.00, FLOPs 5.00",
    ]  # fmt: skip
    # Above the worst, a score of 1 and 50 FLOPs, only the second one dominates anything.
    assert front.volume == (5 - 1) * (50 - 5)
    assert (tiles(html)["front"], tiles(html)["hypervolume"]) == ("2", "180.0")
    assert re.search(r'data-name="memory">2.00 MB</td><td data-name="layers">17</td>.*cheaper arch', html)
