"""The tables of a journal, and how those of earlier releases become them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from wrcor_ext.errors import InputError
from wrcor_ext.search.files import damage

APPLICATION_ID = 0x5743524F  # "WCRO": tells a search journal from any other SQLite file
VERSION = 5

# Columns only ever come in at the end, as ALTER TABLE adds them: then the rows of all versions lie alike in the file,
# and `recovery` can read them whatever has become of the page that describes the tables.
SCHEMA = (
    "CREATE TABLE record (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE trials (
        trial INTEGER PRIMARY KEY, architecture TEXT NOT NULL, key TEXT NOT NULL, status TEXT NOT NULL, reason TEXT,
        scores TEXT NOT NULL, flops INTEGER, params INTEGER,
        duplicate_of INTEGER, seconds REAL NOT NULL,
        memory INTEGER, layers INTEGER, latency REAL, cached INTEGER NOT NULL DEFAULT 0
    )""",
    # Only trials that were scored themselves: what a duplicate looks for. Several of a key where each one is scored.
    "CREATE INDEX scored ON trials (key) WHERE duplicate_of IS NULL",
    "CREATE TABLE checkpoint (id INTEGER PRIMARY KEY CHECK (id = 0), told INTEGER NOT NULL, strategy TEXT NOT NULL)",
    f"PRAGMA application_id={APPLICATION_ID}",
    f"PRAGMA user_version={VERSION}",
)

# By version, what makes the next one of it; and what shows it as today's where nothing may be written.
_MIGRATIONS = {
    4: (
        "ALTER TABLE trials ADD COLUMN memory INTEGER",
        "ALTER TABLE trials ADD COLUMN layers INTEGER",
        "ALTER TABLE trials ADD COLUMN latency REAL",
        "ALTER TABLE trials ADD COLUMN cached INTEGER NOT NULL DEFAULT 0",
        "DROP INDEX scored",
        SCHEMA[2],
        "PRAGMA user_version=5",
    ),
}
_VIEWS = {
    4: "CREATE TEMP VIEW trials AS "
    "SELECT *, NULL AS memory, NULL AS layers, NULL AS latency, 0 AS cached FROM main.trials",
}


def version_of(db: sqlite3.Connection, path: Path) -> int:
    """The version of a journal; 0 for a file that has nothing in it yet.

    Raises:
        InputError: if it is no journal that this release reads.
        DamagedError: if it cannot be read.
    """
    try:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        raise damage(path, error) or InputError(f"{path} cannot be read: {error}") from error
    if tables == 0:
        return 0
    if application != APPLICATION_ID:
        raise InputError(f"{path} is no search journal but another SQLite file")
    if version != VERSION and version not in _MIGRATIONS:
        which = "a newer" if version > VERSION else "an older"
        raise InputError(
            f"{path} has journal version {version} of {which} release, this one reads versions {min(_MIGRATIONS)} to "
            f"{VERSION}"
        )
    return int(version)


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Makes today's version of an earlier one; the caller's transaction makes it all or nothing."""
    for earlier in range(version, VERSION):
        for statement in _MIGRATIONS[earlier]:
            db.execute(statement)


def show_as_today(db: sqlite3.Connection, version: int) -> None:
    """Lets a connection that may not write see an earlier version as today's."""
    if version != VERSION:
        db.execute(_VIEWS[version])
