"""Worker processes: the answers of one process, and nothing lost with a process."""

from __future__ import annotations

import functools
import os

import pytest
from helpers.crews import ARCHS, TRUTH, answers, broken, ends, ends_unless_first, toy, troubled
from helpers.toy import ToySpace

from wrcor_ext.errors import BackendError, WrcorError
from wrcor_ext.search.workers import WorkerPool, worker_count


def pool(make=toy, *, workers=2, timeout=None):
    return WorkerPool(ToySpace(), make, workers=workers, threads=1, timeout=timeout, proxies=("wrcor", "naswot"))


def test_the_answers_are_those_of_one_process_group_after_group():
    with pool() as workers:
        assert answers(workers.results(ARCHS, lambda: False)) == TRUTH
        assert answers(workers.results(ARCHS[:1], lambda: False)) == {0: TRUTH[0]}
        assert answers(workers.results([], lambda: False)) == {}


@pytest.mark.parametrize(("trouble", "timeout"), [("dies", None), ("hangs", 1.0)])
def test_a_candidate_whose_worker_is_lost_is_tried_again(tmp_path, trouble, timeout):
    with pool(functools.partial(troubled, trouble, 1, str(tmp_path)), timeout=timeout) as workers:
        assert answers(workers.results(ARCHS, lambda: False)) == TRUTH


@pytest.mark.parametrize(
    ("trouble", "timeout", "reason"),
    [("dies", None, "its worker ended with exit code -9, 2 times"), ("hangs", 0.5, "no answer within 0.5 s, 2 times")],
)
def test_after_the_second_time_it_has_failed_and_the_others_have_not(tmp_path, trouble, timeout, reason):
    with pool(functools.partial(troubled, trouble, 9, str(tmp_path)), timeout=timeout) as workers:
        found = list(workers.results(ARCHS, lambda: False))
    (failed,) = (evaluation for index, _, evaluation in found if index == 1)
    assert (failed.status, failed.reason) == ("failed", reason)
    assert failed.scores == {"wrcor": None, "naswot": None}
    assert answers(f for f in found if f[0] != 1) == {i: t for i, t in TRUTH.items() if i != 1}


def test_a_missing_backend_stops_the_search(tmp_path):
    with (
        pytest.raises(BackendError, match="no such backend"),
        pool(functools.partial(troubled, "refuses", 9, str(tmp_path))) as workers,
    ):
        list(workers.results(ARCHS, lambda: False))


def test_what_no_worker_can_make_stops_the_search():
    with pytest.raises(WrcorError, match="ImportError: no module named users_space"), pool(broken) as workers:
        list(workers.results(ARCHS, lambda: False))


def test_once_asked_to_stop_no_candidate_is_begun():
    found = []
    with pool(workers=1) as workers:
        for index, _, _ in workers.results(ARCHS, lambda: len(found) == 2):
            found.append(index)
        assert list(workers.results(ARCHS, lambda: True)) == []
    assert found == [0, 1]


def test_asked_to_stop_while_its_workers_are_made_it_does():
    with pool() as workers:
        assert list(workers.results(ARCHS, lambda: True)) == []


def test_without_any_worker_that_can_be_made_the_search_stops():
    with pytest.raises(WrcorError, match="no worker can be made: its worker ended with exit code 3"), pool(ends) as w:
        list(w.results(ARCHS, lambda: False))


def test_workers_that_cannot_be_made_leave_the_work_to_the_others(tmp_path):
    with pool(functools.partial(ends_unless_first, str(tmp_path)), workers=3) as workers:
        assert answers(workers.results(ARCHS, lambda: False)) == TRUTH


def test_as_many_workers_as_cores_but_no_more_than_a_group_keeps_busy(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(12)))
    assert [worker_count(None, threads, 8) for threads in (1, 2, 5, 24)] == [8, 6, 2, 1]
    assert worker_count(3, 1, 8) == 3
