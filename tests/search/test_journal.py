"""The journal: what was committed comes back, and nothing else is taken for a journal."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest
from helpers.trials import trial

from wrcor_ext.errors import InputError, WrcorError
from wrcor_ext.search.files import DamagedError
from wrcor_ext.search.journal import Journal, read_record
from wrcor_ext.spaces import Cost

RECORD = {"config": {"seed": 3, "proxies": ["wrcor"]}, "environment": {"torch": "2"}}


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "trials.sqlite")
    opened.create(RECORD)
    yield opened
    opened.close()


def test_trials_come_back_exactly(journal):
    # 0.1 + 0.2 has no short decimal form; None must not become NaN or 0.
    trials = [trial(0, 0.1 + 0.2), trial(1, None), trial(2, -7.0), trial(2, -7.0).repeated(3, "arch 3", Cost(11, 21))]
    trials.append(replace(trial(4), cost=None))
    for number, one in enumerate(trials):
        journal.append(one)
        journal.checkpoint(number + 1, {"n": number, "big": 2**100})
    assert list(journal.trials()) == trials
    assert journal.count() == 5
    assert journal.told() == (5, {"n": 4, "big": 2**100})
    assert journal.numbered(2, 2) == {2: trials[2], 3: trials[3]}
    assert journal.trial(2) == trials[2]
    assert list(journal.own_scores()) == [(n, trials[n].evaluation.scores) for n in (0, 1, 2, 4)]
    assert (journal.duplicates(), journal.seconds(), journal.reasons()) == (1, 4 * 0.25, {"RuntimeError: no": 1})
    with pytest.raises(KeyError):
        journal.trial(5)
    assert journal.record() == RECORD
    assert journal.status_counts() == {"failed": 1, "ok": 4}
    assert journal.commonest_reason() == "RuntimeError: no"


def test_it_survives_closing(journal):
    journal.append(trial(0))
    journal.close()
    again = Journal(journal.path)
    assert not again.is_new
    assert list(again.trials()) == [trial(0)]
    again.close()


def test_a_key_finds_the_trial_that_scored_it(journal):
    journal.append(trial(0))
    journal.append(trial(0).repeated(1, "other form", Cost(1, 1)))
    assert journal.scored("key 0", before=2) == trial(0)
    assert journal.scored("key 0", before=0) is None
    assert journal.scored("key 1", before=2) is None


def test_where_each_trial_is_scored_the_first_of_a_key_or_text_counts(journal):
    twin = replace(trial(2, 4.0), key="key 0")
    trials = [trial(0), trial(1), twin, replace(trial(0), trial=3), replace(twin, trial=4)]
    for one in reversed(trials):
        journal.append(one)
    assert journal.scored("key 0", before=9) == trials[0]
    assert [number for number, _ in journal.own_scores(dedup=False)] == [0, 1, 2]


def test_what_cannot_be_committed_changes_nothing(journal):
    assert journal.told() == (0, None)
    journal.append(trial(0))
    journal.checkpoint(1, {"n": 0})
    with pytest.raises(TypeError):
        journal.checkpoint(2, {"n": object()})
    with pytest.raises(WrcorError, match="UNIQUE constraint failed"):
        journal.append(trial(0))
    assert journal.count() == 1
    assert journal.told() == (1, {"n": 0})
    journal.append(trial(1))
    assert journal.count() == 2


def prints(tmp_path, name, trials, state):
    journal = Journal(tmp_path / name)
    journal.create(RECORD)
    for one in trials:
        journal.append(one)
    journal.checkpoint(1, state)
    fingerprint = journal.fingerprint()
    journal.close()
    return fingerprint


def test_the_fingerprint_sees_everything_but_what_was_measured(tmp_path):
    base = trial(0)
    reference = prints(tmp_path, "reference", [base], {"n": 1})
    slower = replace(base, latency=3.0, evaluation=replace(base.evaluation, seconds=99.0, cached=True))
    assert prints(tmp_path, "slower", [slower], {"n": 1}) == reference
    evaluation = base.evaluation
    others = [
        replace(base, architecture="other"),
        replace(base, key="other"),
        replace(base, cost=Cost(11, 20)),
        replace(base, cost=Cost(10, 21)),
        replace(base, cost=Cost(10, 20, memory=30)),
        replace(base, cost=Cost(10, 20, layers=40)),
        replace(base, duplicate_of=0),
        replace(base, trial=1),
        replace(base, evaluation=replace(evaluation, status="degenerate")),
        replace(base, evaluation=replace(evaluation, reason="why")),
        replace(base, evaluation=replace(evaluation, scores={"wrcor": 1.5 + 2**-50, "naswot": 0.1})),
    ]
    found = {prints(tmp_path, f"other{number}", [one], {"n": 1}) for number, one in enumerate(others)}
    found |= {prints(tmp_path, "state", [base], {"n": 2}), prints(tmp_path, "more", [base, trial(1)], {"n": 1})}
    assert len(found) == len(others) + 2
    assert reference not in found


def test_a_file_of_another_program_is_refused_and_untouched(tmp_path):
    path = tmp_path / "trials.sqlite"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 40)
    before = path.read_bytes()
    with pytest.raises(DamagedError, match=r"is no search journal, or damaged \(file is not a database\)"):
        Journal(path)
    assert path.read_bytes() == before


def test_another_sqlite_file_is_refused_and_untouched(tmp_path):
    path = tmp_path / "trials.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()
    before = path.read_bytes()
    with pytest.raises(InputError, match="another SQLite file"):
        Journal(path)
    assert path.read_bytes() == before
    assert read_record(path) is None


def test_a_file_that_a_killed_process_left_empty_is_new(tmp_path):
    path = tmp_path / "trials.sqlite"
    path.touch()
    journal = Journal(path)
    assert journal.is_new
    journal.close()


def test_a_record_can_be_read_while_the_journal_is_in_use(journal):
    assert read_record(journal.path) == RECORD
    assert read_record(journal.path.with_name("missing")) is None
    assert not journal.path.with_name("missing").exists()
