"""Journals of other releases: migrated where this one knows how, refused where not, never overwritten."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

import pytest
from helpers.toy_run import CONFIG, ENVIRONMENT, search

from wrcor_ext.errors import InputError, WrcorError
from wrcor_ext.search import folders, journal_versions
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.journal_versions import VERSION
from wrcor_ext.search.show import main as show
from wrcor_ext.search.study import JOURNAL, Study
from wrcor_ext.spaces import Cost

# Word for word what release 4 wrote.
VERSION_4 = (
    "CREATE TABLE record (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE trials (
        trial INTEGER PRIMARY KEY, architecture TEXT NOT NULL, key TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
        scores TEXT NOT NULL, flops INTEGER, params INTEGER,
        duplicate_of INTEGER, seconds REAL NOT NULL
    )""",
    "CREATE UNIQUE INDEX scored ON trials (key) WHERE duplicate_of IS NULL",
    "CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 0), told INTEGER NOT NULL, strategy TEXT NOT NULL)",
)
COLUMNS_4 = "trial, architecture, key, status, reason, scores, flops, params, duplicate_of, seconds"
LATER_OPTIONS = ("dedup", "cache")


@pytest.fixture
def stopped(tmp_path):
    """The folder of a run that this release stopped, and the fingerprint of the whole run."""
    with Study(tmp_path / "whole", CONFIG, ENVIRONMENT) as study:
        search(study)
        whole = study.fingerprint()
    folder = tmp_path / "old"
    with Study(folder, replace(CONFIG, budget=50), ENVIRONMENT) as study:
        search(study)
    return folder, whole


@pytest.fixture
def old(stopped):
    """The same folder as release 4 would have left it."""
    folder, whole = stopped
    path = folder / JOURNAL
    with sqlite3.connect(path) as db:
        rows = db.execute(f"SELECT {COLUMNS_4} FROM trials").fetchall()
        checkpoint = db.execute("SELECT * FROM checkpoint").fetchall()
        record = dict(db.execute("SELECT * FROM record"))
    db.close()
    path.unlink()
    config = {name: value for name, value in json.loads(record["config"]).items() if name not in LATER_OPTIONS}
    with sqlite3.connect(path) as db:
        for statement in VERSION_4:
            db.execute(statement)
        db.executemany(f"INSERT INTO trials VALUES ({', '.join('?' * 10)})", rows)
        db.executemany("INSERT INTO checkpoint VALUES (?, ?, ?)", checkpoint)
        db.executemany("INSERT INTO record VALUES (?, ?)", [("config", json.dumps(config)), *list(record.items())[1:]])
        db.execute(f"PRAGMA application_id={0x5743524F}")
        db.execute("PRAGMA user_version=4")
    db.close()
    return folder, whole


def test_a_run_of_release_4_is_gone_on_with(old):
    folder, whole = old
    with Study(folder, CONFIG, ENVIRONMENT, resume=True) as study:
        assert study.resumed == 50
        assert study.journal.trial(0).cost is not None
        search(study)
        assert study.fingerprint() == whole
    with sqlite3.connect(folder / JOURNAL) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    db.close()


def test_it_is_shown_as_it_is_and_stays_as_it_was(old, capsys):
    folder, _ = old
    before = (folder / JOURNAL).read_bytes()
    assert show([str(folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["trials"], facts["cached"]) == (50, 0)
    journal = Journal(folder / JOURNAL, read_only=True)
    first = journal.trial(0)
    assert (first.cost, first.latency) == (Cost(first.flops, first.params, None, None), None)
    journal.close()
    assert (folder / JOURNAL).read_bytes() == before


def test_it_is_found_as_the_latest_run_of_the_same_options(old):
    folder, _ = old
    root = folder.parent / "runs"
    root.mkdir()
    folder.rename(root / "nasbench201-evolution-wrcor-1")
    assert folders.latest_folder(CONFIG, root) == root / "nasbench201-evolution-wrcor-1"
    assert folders.latest_folder(replace(CONFIG, dedup=False), root) is None


def test_an_end_within_the_migration_leaves_release_4(old, monkeypatch):
    folder, whole = old
    with monkeypatch.context() as patch:
        patch.setitem(journal_versions._MIGRATIONS, 4, (*journal_versions._MIGRATIONS[4], "SELECT absent FROM trials"))
        with pytest.raises(WrcorError, match="no such column"):
            Study(folder, CONFIG, ENVIRONMENT, resume=True)
    test_a_run_of_release_4_is_gone_on_with((folder, whole))


@pytest.mark.parametrize(("version", "which"), [(3, "an older"), (VERSION + 1, "a newer")])
@pytest.mark.parametrize("read_only", [False, True])
def test_other_versions_are_refused_and_left_alone(stopped, version, which, read_only):
    path = stopped[0] / JOURNAL
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={version}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"has journal version {version} of {which} release, this one reads versions"):
        Journal(path, read_only=read_only)
    assert path.read_bytes() == before
