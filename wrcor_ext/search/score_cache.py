"""Scores that runs share: an SQLite file with a row per setting, architecture and proxy.

Nothing in it is ever replaced, so a cache answers the same for ever. It saves time and is never needed: whatever is
wrong with it, it is left alone from then on, with one note.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from wrcor_ext import proxies
from wrcor_ext.results import Trouble
from wrcor_ext.search.trial import Evaluation

FILE = "scores.sqlite"

# How long a process waits for one that is just writing. A row takes less than a millisecond.
PATIENCE_SECONDS = 2.0

_APPLICATION_ID = 0x57435343  # "WCSC"
_SCHEMA_VERSION = 1
_SCHEMA = (
    "CREATE TABLE settings (id INTEGER PRIMARY KEY, facts TEXT NOT NULL UNIQUE)",
    # Values are JSON: a REAL column would lose the sign of zero.
    """CREATE TABLE scores (
        setting INTEGER NOT NULL REFERENCES settings, architecture TEXT NOT NULL, proxy TEXT NOT NULL,
        version INTEGER NOT NULL, value TEXT NOT NULL, reason TEXT,
        PRIMARY KEY (setting, architecture, proxy, version)
    ) WITHOUT ROWID""",
    f"PRAGMA application_id={_APPLICATION_ID}",
    f"PRAGMA user_version={_SCHEMA_VERSION}",
)

# What is known of an architecture: value by proxy, and why there is none where the definition gives none.
Known = tuple[dict[str, float | None], dict[str, Trouble]]


class ScoreCache:
    """The cache in a folder; several processes may use it at once. A context manager that closes it.

    Args:
        folder: made if it is not there.
        note: is told, at most once, why the cache is not used any longer.
    """

    def __init__(self, folder: Path, note: Callable[[str], None]) -> None:
        self._path = folder / FILE
        self._note = note
        self._db: sqlite3.Connection | None = None
        with self._left_alone():
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._path, timeout=PATIENCE_SECONDS, isolation_level=None)
            self._begin(self._db)

    def _begin(self, db: sqlite3.Connection) -> None:
        if not _is_empty(db):
            _check(db)  # before anything is changed
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        with _written(db):
            if _is_empty(db):
                for statement in _SCHEMA:
                    db.execute(statement)
            _check(db)  # another process may have been faster

    def setting(self, facts: Mapping[str, object]) -> int | None:
        """A number for all that scores depend on besides architecture and proxy; None where the cache is not used."""
        text = json.dumps(facts, sort_keys=True)
        with self._left_alone():
            if self._db is not None:
                with _written(self._db):
                    self._db.execute("INSERT OR IGNORE INTO settings (facts) VALUES (?)", (text,))
                    (number,) = self._db.execute("SELECT id FROM settings WHERE facts = ?", (text,)).fetchone()
                return int(number)
        return None

    def find(self, setting: int, architecture: str, names: Sequence[str]) -> Known | None:
        """What is known of these proxies of an architecture; None unless all of them are."""
        with self._left_alone():
            if self._db is not None:
                rows = self._db.execute(
                    "SELECT proxy, version, value, reason FROM scores WHERE setting = ? AND architecture = ?",
                    (setting, architecture),
                )
                known = {(proxy, version): (json.loads(value), reason) for proxy, version, value, reason in rows}
                found = {name: known.get((name, proxies.get(name).version)) for name in names}
                return _known(found)
        return None

    def keep(self, setting: int, architecture: str, evaluation: Evaluation) -> None:
        """Adds what is not known yet of an evaluation; what failed may work the next time, and is not kept."""
        rows = []
        for name, value in evaluation.scores.items():
            trouble = evaluation.troubles.get(name)
            if value is not None or (trouble is not None and trouble.status == "degenerate"):
                reason = None if trouble is None else trouble.reason
                rows.append((setting, architecture, name, proxies.get(name).version, json.dumps(value), reason))
        with self._left_alone():
            if self._db is not None and rows:
                with _written(self._db):
                    self._db.executemany("INSERT OR IGNORE INTO scores VALUES (?, ?, ?, ?, ?, ?)", rows)

    @contextmanager
    def _left_alone(self) -> Iterator[None]:
        """Gives the cache up where it makes trouble: locked, damaged, read-only, on a full disk."""
        try:
            yield
        except (OSError, sqlite3.Error, ValueError, TypeError) as error:  # the last two: of what is no JSON
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._note(f"the score cache {os.fspath(self._path)} is not used: {reason}")
            self.close()

    def close(self) -> None:
        """Folds the write-ahead log into the file, if nobody else uses it, and closes it."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def __enter__(self) -> ScoreCache:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _is_empty(db: sqlite3.Connection) -> bool:
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return not tables


def _check(db: sqlite3.Connection) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if (application, version) != (_APPLICATION_ID, _SCHEMA_VERSION):
        raise sqlite3.DatabaseError("it is no score cache of this release")


def _known(found: Mapping[str, tuple[float | None, str | None] | None]) -> Known | None:
    values: dict[str, float | None] = {}
    troubles = {}
    for name, one in found.items():
        if one is None:
            return None
        values[name], reason = one
        if reason is not None:
            troubles[name] = Trouble("degenerate", reason)
    return values, troubles


@contextmanager
def _written(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
