"""Damaged journals: what can be read is kept, what is lost is named and evaluated again, to the same final result."""

from __future__ import annotations

import random
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.toy_run import CONFIG, ENVIRONMENT, search

from wrcor_ext.errors import WrcorError
from wrcor_ext.search import recovery
from wrcor_ext.search.files import DamagedError
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.study import JOURNAL, Study, recorded_config

PAGE = 4096
SHORT = replace(CONFIG, budget=100)
TOLD = 96  # of these, in whole groups


def opened(folder, config=CONFIG, resume=True):
    return Study(folder, config, ENVIRONMENT, resume=resume)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The fingerprint of a run that nothing happened to."""
    with opened(tmp_path_factory.mktemp("whole")) as study:
        search(study)
        return study.fingerprint()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The folder of the same run, stopped within a group."""
    folder = tmp_path_factory.mktemp("stopped")
    with opened(folder, SHORT) as study:
        search(study)
    assert not (folder / f"{JOURNAL}-wal").exists()
    return folder


@pytest.fixture
def run(stopped, tmp_path):
    """A copy of that folder, to damage."""
    return shutil.copytree(stopped, tmp_path / "run")


def pages(folder):
    return (folder / JOURNAL).stat().st_size // PAGE


def damage(folder, page, content):
    with (folder / JOURNAL).open("r+b") as file:
        file.seek(page * PAGE)
        file.write(content)


CONTENTS = {
    "zeros": bytes(PAGE),
    "noise": random.Random(1).randbytes(PAGE),
    "half": bytes(PAGE // 2),
    "text": b"lost" * (PAGE // 4),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_whichever_page_is_damaged_the_run_ends_the_same(stopped, tmp_path, whole, kind):
    lost, kept = set(), set()
    for page in range(pages(stopped)):
        folder = shutil.copytree(stopped, tmp_path / str(page))
        damage(folder, page, CONTENTS[kind])
        assert recorded_config(folder) == SHORT.saved()
        with opened(folder) as study:
            found = study.recovered
            if kind != "half":
                assert found is not None
            if found is not None:
                assert (folder / found.damaged.name).exists()
                assert study.resumed == found.kept
                assert set(range(TOLD)) - set(found.missing) == {t.trial for t in study.journal.between(0, TOLD)}
                lost |= set(found.missing)
                kept.add(found.kept)
            search(study)
            assert study.fingerprint() == whole
            assert study.journal.record()["environment"] == ENVIRONMENT
        with opened(folder) as study:
            assert study.recovered is None
        assert {path.name for path in folder.iterdir()} <= {JOURNAL, f"{JOURNAL}.damaged-1", "config.yaml", ".lock"}
    if kind != "half":
        assert lost >= set(range(TOLD))  # each trial lies on one of the pages
        assert max(kept) == SHORT.budget  # and on some page lies none


@pytest.mark.parametrize("missing", [1, PAGE // 2, PAGE, 3 * PAGE + 7])
def test_a_file_that_lost_its_end_is_recovered(run, whole, missing):
    path = run / JOURNAL
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - missing)
    with opened(run) as study:
        search(study)
        assert study.fingerprint() == whole


@pytest.mark.parametrize("share", [0.0, 0.1, 0.35, 0.62, 0.999])
def test_a_torn_last_write_loses_the_last_trials_only(tmp_path, whole, share):
    with opened(tmp_path / "torn", SHORT) as study:
        search(study)
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in (JOURNAL, f"{JOURNAL}-wal"):  # what a power failure would leave
            shutil.copy(tmp_path / "torn" / name, copy)
    log = copy / f"{JOURNAL}-wal"
    with log.open("r+b") as file:
        file.truncate(int(share * log.stat().st_size))
    with opened(copy) as study:
        assert study.recovered is None
        assert study.resumed < SHORT.budget
        search(study)
        assert study.fingerprint() == whole


def test_what_is_lost_is_named(run):
    content = (run / JOURNAL).read_bytes()
    damage(run, next(p for p in range(pages(run)) if b'{"wrcor": ' in content[p * PAGE :][:PAGE]), bytes(PAGE))
    with opened(run) as study:
        found = study.recovered
    numbers = list(found.missing)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert str(found) == (
        f"the journal was damaged: {100 - len(numbers)} trials could be read, {numbers[0]} to {numbers[-1]} are "
        f"missing and will be evaluated again; the old file is {run / JOURNAL}.damaged-1"
    )


def test_measured_latencies_are_kept_with_the_trials_or_by_themselves(run):
    with opened(run, SHORT) as study:
        study.journal.keep_latency("too slow", 9.5)
        study.journal._db.execute("UPDATE trials SET latency = 0.5 WHERE trial = 2")
        architecture = study.journal.trial(2).architecture
    folder = shutil.copytree(run, run.with_name("first"))
    damage(folder, 0, bytes(PAGE))
    with opened(folder, SHORT) as study:
        assert study.journal.latencies() == {architecture: 0.5}
    with sqlite3.connect(run / JOURNAL) as db:
        db.execute("UPDATE trials SET scores = 'null' WHERE trial = 1")
    db.close()
    with opened(run, SHORT) as study:
        assert study.journal.latencies() == {architecture: 0.5, "too slow": 9.5}


def test_many_lost_ranges_are_summed_up():
    lost = (1, 3, 4, 6, 8, 10, 11, 13, 15, 16)
    found = recovery.Recovered(9, lost, True, Path("old"))
    assert "1, 3 to 4, 6, 8, 10 to 11 and 3 more are missing" in str(found)


def test_without_resume_a_damaged_journal_is_left_alone(run):
    damage(run, 0, bytes(PAGE))
    before = (run / JOURNAL).read_bytes()
    with pytest.raises(DamagedError, match=r"trials.sqlite is no search journal, or damaged .* with --resume keeps"):
        opened(run, resume=False)
    assert (run / JOURNAL).read_bytes() == before


def test_a_file_of_which_nothing_can_be_read_is_left_alone(run):
    content = b"the diary of somebody else" * 1000
    (run / JOURNAL).write_bytes(content)
    with pytest.raises(DamagedError, match="nothing of it can be read: choose another --out"):
        opened(run)
    assert (run / JOURNAL).read_bytes() == content
    assert {path.name for path in run.iterdir()} == {JOURNAL, "config.yaml", ".lock"}


def test_a_record_that_is_lost_is_that_of_the_command(run, whole):
    with sqlite3.connect(run / JOURNAL) as db:
        db.execute("UPDATE record SET value = '{' WHERE name = 'config'")
    db.close()
    assert recorded_config(run) == SHORT.saved()
    with opened(run) as study:
        assert "the options of the run are taken to be those of this command" in str(study.recovered)
        assert not study.recovered.missing
        search(study)
        assert study.fingerprint() == whole


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE trials SET scores = '{\"wrcor\": 1.' WHERE trial = 40",
        "UPDATE trials SET architecture = CAST(x'ff30' AS TEXT) WHERE trial = 40",
        "UPDATE trials SET scores = 'null' WHERE trial = 40",
    ],
)
def test_a_trial_without_sense_is_lost(run, whole, spoil):
    with sqlite3.connect(run / JOURNAL) as db:
        db.execute(spoil)
    db.close()
    with opened(run) as study:
        assert study.recovered.missing == (40,)
        search(study)
        assert study.fingerprint() == whole


@pytest.mark.parametrize("call", [0, 1, 2])
def test_killed_while_it_is_replaced_nothing_is_lost(run, whole, monkeypatch, call):
    damage(run, pages(run) - 1, bytes(PAGE))
    calls, replace_file = [], recovery.os.replace

    def killed(source, target):
        if str(source).endswith(("-wal", "-shm")):
            return replace_file(source, target)
        calls.append(source)
        if len(calls) > call:
            raise KeyboardInterrupt
        return replace_file(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(recovery.os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            opened(run)
    with opened(run) as study:
        search(study)
        assert study.fingerprint() == whole


def test_a_full_disk_leaves_the_damaged_journal_as_it_is(run, monkeypatch):
    damage(run, pages(run) - 1, bytes(PAGE))
    before = (run / JOURNAL).read_bytes()

    class Small(Journal):
        def create(self, record):
            super().create(record)
            self._db.execute("PRAGMA max_page_count=6")

    monkeypatch.setattr(recovery, "Journal", Small)
    with pytest.raises(WrcorError, match="database or disk is full"):
        opened(run)
    assert (run / JOURNAL).read_bytes() == before
    assert {path.name for path in run.iterdir()} == {JOURNAL, "config.yaml", ".lock"}
