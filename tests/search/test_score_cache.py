"""Scores that runs share: what is known costs nothing, what is not known is never made up, and trouble is no matter."""

from __future__ import annotations

import multiprocessing
import sqlite3
from dataclasses import replace

import pytest
import torch

from wrcor_ext import data, proxies
from wrcor_ext.proxies import registry
from wrcor_ext.results import Trouble
from wrcor_ext.search import cached_pool, score_cache
from wrcor_ext.search.cached_pool import CachedPool, facts
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.evaluator import InProcessEvaluator
from wrcor_ext.search.pools import InProcess
from wrcor_ext.search.score_cache import FILE, ScoreCache
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.spaces import get

TINY = {"dataset": "noise", "batch_size": 6, "image_size": 8, "stem_width": 4, "cells_per_stage": 1, "seed": 3}
CONFIG = SearchConfig(**TINY, proxies=["wrcor", "naswot"])
TROUBLE = Trouble("degenerate", "no response; or none that varies")
MIXED = Evaluation.of({"wrcor": None, "naswot": 0.1 + 0.2}, {"wrcor": TROUBLE}, [["wrcor"]], seconds=1.0)


@pytest.fixture
def notes():
    return []


@pytest.fixture
def cache(tmp_path, notes):
    with ScoreCache(tmp_path / "cache", notes.append) as opened:
        yield opened


@pytest.fixture(scope="module")
def batch():
    return data.load("noise", batch_size=6, image_size=8, seed=3)


def test_what_was_kept_is_found_exactly(cache, notes):
    setting = cache.setting({"seed": 1})
    assert cache.find(setting, "a", ["wrcor"]) is None
    cache.keep(setting, "a", MIXED)
    values, troubles = cache.find(setting, "a", ["naswot", "wrcor"])
    assert (values, troubles) == ({"naswot": 0.1 + 0.2, "wrcor": None}, {"wrcor": TROUBLE})
    cache.keep(setting, "b", Evaluation.of({"wrcor": -0.0}, {}, [["wrcor"]], seconds=1.0))
    assert str(cache.find(setting, "b", ["wrcor"])[0]["wrcor"]) == "-0.0"
    assert cache.find(setting, "b", ["wrcor", "naswot"]) is None  # all or nothing
    assert cache.find(cache.setting({"seed": 2}), "a", ["wrcor"]) is None
    assert cache.setting({"seed": 1}) == setting
    assert notes == []


def test_what_is_known_is_not_replaced(cache):
    setting = cache.setting({})
    for value in (1.0, 2.0):
        cache.keep(setting, "a", Evaluation.of({"wrcor": value}, {}, [["wrcor"]], seconds=1.0))
    assert cache.find(setting, "a", ["wrcor"]) == ({"wrcor": 1.0}, {})


def test_failures_are_not_kept(cache):
    setting = cache.setting({})
    cache.keep(setting, "a", Evaluation("failed", {"wrcor": None}, 1.0, "RuntimeError: no"))
    failed = {"wrcor": Trouble("failed", "out of memory")}
    cache.keep(setting, "b", Evaluation.of({"wrcor": None, "naswot": 2.0}, failed, [["wrcor"]], seconds=1.0))
    assert cache.find(setting, "a", ["wrcor"]) is None
    assert cache.find(setting, "b", ["wrcor"]) is None
    assert cache.find(setting, "b", ["naswot"]) == ({"naswot": 2.0}, {})


def test_another_version_of_a_proxy_is_another_proxy(cache, monkeypatch):
    setting = cache.setting({})
    cache.keep(setting, "a", MIXED)
    monkeypatch.setitem(registry._PROXIES, "naswot", replace(proxies.get("naswot"), version=2))
    assert cache.find(setting, "a", ["wrcor"]) is not None
    assert cache.find(setting, "a", ["naswot"]) is None
    cache.keep(setting, "a", Evaluation.of({"naswot": 7.0}, {}, [["naswot"]], seconds=1.0))
    assert cache.find(setting, "a", ["naswot"]) == ({"naswot": 7.0}, {})


def test_every_fact_that_decides_digits_is_in_the_key(batch):
    other = data.load("noise", batch_size=6, image_size=8, seed=4)
    changed = [
        {"space": "nasbench101", "cells_per_stage": None}, {"stem_width": 8}, {"cells_per_stage": 2}, {"seed": 4},
        {"batch_norm": False}, {"rule": "reference"}, {"tail": 2}, {"amp": "bfloat16"}, {"threads": 2},
        {"dedup": False},
    ]  # fmt: skip
    found = [facts(CONFIG, batch), facts(CONFIG, other), *(facts(replace(CONFIG, **c), batch) for c in changed)]
    assert len({repr(one) for one in found}) == len(found)
    same = [{"proxies": ("acor",)}, {"budget": 9}, {"strategy": "random"}, {"workers": 2}, {"max_flops": 1e9}]
    assert all(facts(replace(CONFIG, **change), batch) == found[0] for change in same)


def test_what_the_machine_decides_is_in_the_key(batch, monkeypatch):
    before = facts(CONFIG, batch)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "__version__", "9.9")
        assert facts(CONFIG, batch) != before
    with monkeypatch.context() as patch:
        patch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "ABACUS")
        assert facts(CONFIG, batch) != before
    with monkeypatch.context() as patch:
        patch.setattr(cached_pool.ops, "native_library", lambda: None)
        assert facts(CONFIG, batch) != before


@pytest.fixture
def search(cache, batch):
    """Evaluates cells of a run with these options; remembers which had to be scored."""
    space = get("nasbench201", stem_width=4, cells_per_stage=1)

    def results(archs, **changes):
        config = replace(CONFIG, **changes)
        evaluator = InProcessEvaluator(space, batch, config)
        scored, evaluate = [], evaluator.evaluate
        evaluator.evaluate = lambda arch: scored.append(arch) or evaluate(arch)
        pool = CachedPool(cache, InProcess(evaluator), evaluator, space, config, batch)
        found = {index: (cost, evaluation) for index, cost, evaluation in pool.results(archs, lambda: False)}
        return [found[index] for index in range(len(archs))], scored

    return results


CONV, NONE = ("nor_conv_3x3",) * 6, ("none",) * 6
MIXED_CELL = ("nor_conv_1x1", "skip_connect", "nor_conv_3x3", "avg_pool_3x3", "none", "nor_conv_3x3")


def test_a_hit_is_what_scoring_again_would_give(search):
    first, scored = search([CONV, NONE])
    assert scored == [CONV, NONE]
    again, scored = search([MIXED_CELL, CONV, NONE])
    assert scored == [MIXED_CELL]
    for (cost, one), (true_cost, true) in zip(again[1:], first, strict=True):
        assert cost == true_cost
        assert one == replace(true, seconds=0.0, cached=True)
        assert one.troubles == true.troubles
    assert not again[0][1].cached
    assert search([MIXED_CELL])[1] == []


def test_a_run_with_some_of_the_proxies_profits_and_one_with_more_does_not(search):
    search([CONV])
    (found,), scored = search([CONV], proxies=("naswot",))
    assert scored == []
    assert list(found[1].scores) == ["naswot"]
    assert search([CONV], proxies=("naswot", "acor"))[1] == [CONV]
    assert search([CONV], proxies=("vote:rank(acor,wrcor)",))[1] == []


# A permutation of the inner nodes: the same function, but other draws of the weights.
TWINS = (
    ("nor_conv_3x3", "none", "none", "none", "none", "none"),
    ("nor_conv_3x3", "none", "nor_conv_1x1", "none", "none", "none"),
)


def test_twins_share_an_entry_only_where_they_share_a_trial(search):
    space = get("nasbench201")
    assert len({space.key(twin) for twin in TWINS}) == 1
    search(TWINS[:1])
    assert search(TWINS[1:])[1] == []
    assert search(TWINS[:1], dedup=False)[1] == [TWINS[0]]
    assert search(TWINS, dedup=False)[1] == [TWINS[1]]


def test_a_stop_is_heard(cache, batch):
    space = get("nasbench201", stem_width=4, cells_per_stage=1)
    evaluator = InProcessEvaluator(space, batch, CONFIG)
    pool = CachedPool(cache, InProcess(evaluator), evaluator, space, CONFIG, batch)
    assert len(list(pool.results([CONV], lambda: False))) == 1
    assert list(pool.results([CONV, NONE], lambda: True)) == []


def _fill(folder, first):
    with ScoreCache(folder, print) as cache:
        setting = cache.setting({"shared": True})
        for number in range(first, first + 50):
            cache.keep(setting, str(number), Evaluation.of({"wrcor": number / 7}, {}, [["wrcor"]], seconds=1.0))


def test_processes_fill_it_side_by_side(tmp_path):
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=_fill, args=(tmp_path, 25 * number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with ScoreCache(tmp_path, pytest.fail) as cache:
        setting = cache.setting({"shared": True})
        assert all(cache.find(setting, str(n), ["wrcor"]) == ({"wrcor": n / 7}, {}) for n in range(100))


def damaged(path):
    path.write_bytes(b"not a database, but long enough to be taken for one" * 40)


def of_another_program(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (damaged, "file is not a database"),
        (of_another_program, "it is no score cache of this release"),
        (lambda path: path.mkdir(), "unable to open database file"),
    ],
)
def test_a_file_that_is_no_cache_is_left_alone_with_one_note(tmp_path, notes, spoil, reason):
    path = tmp_path / FILE
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    with ScoreCache(tmp_path, notes.append) as cache:
        assert cache.setting({}) is None
        assert cache.find(1, "a", ["wrcor"]) is None
        cache.keep(1, "a", MIXED)
    assert notes == [f"the score cache {path} is not used: {reason}"]
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_folder_that_cannot_be_made_is_no_matter(tmp_path, notes):
    (tmp_path / "file").touch()
    with ScoreCache(tmp_path / "file" / "cache", notes.append) as cache:
        assert cache.setting({}) is None
    assert notes == [f"the score cache {tmp_path / 'file' / 'cache' / FILE} is not used: Not a directory"]


def test_a_cache_that_another_process_keeps_locked_is_given_up(cache, notes, tmp_path, search, monkeypatch):
    monkeypatch.setattr(score_cache, "PATIENCE_SECONDS", 0.01)
    cache._db.execute("PRAGMA busy_timeout=10")
    other = sqlite3.connect(tmp_path / "cache" / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert len(search([CONV, NONE])[0]) == 2
    assert notes == [f"the score cache {tmp_path / 'cache' / FILE} is not used: database is locked"]
    other.close()


def test_a_full_disk_does_not_stop_a_run(cache, notes, search, tmp_path):
    search([CONV])
    pages = cache._db.execute("PRAGMA page_count").fetchone()[0]
    cache._db.execute(f"PRAGMA max_page_count={pages}")
    cache.keep(1, "x" * 100_000, MIXED)
    assert notes == [f"the score cache {tmp_path / 'cache' / FILE} is not used: database or disk is full"]
    assert search([CONV])[1] == [CONV]


def test_a_value_that_is_no_json_is_trouble_not_a_score(cache, notes, search):
    search([CONV])
    cache._db.execute("UPDATE scores SET value = '1.5e'")
    (found,), scored = search([CONV])
    assert scored == [CONV]
    assert not found[1].cached
    assert "is not used" in notes[0]
