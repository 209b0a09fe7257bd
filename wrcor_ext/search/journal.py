"""The journal of a run: an SQLite file with one committed row per trial and the strategy's state as of a checkpoint.

Trials are asked for, and told, in groups. Each is committed when it is finished, in whatever order workers finish them;
the strategy's state is committed when a group has been told. A run that stops within a group is resumed by asking for
the same group again, of which the journal holds a part.

WAL mode with `synchronous=NORMAL`: a killed process loses nothing that was committed; a power failure may lose the
last few trials, but never the consistency of the file. Resuming then computes those trials again, with the same result.
`FULL` would pay a disk flush per trial for nothing more.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from wrcor_ext.errors import WrcorError
from wrcor_ext.search import journal_versions
from wrcor_ext.search.files import storage_errors
from wrcor_ext.search.trial import Evaluation, Trial
from wrcor_ext.spaces import Cost

# Only journals of searches that measure have this one.
_LATENCIES = (
    "CREATE TABLE IF NOT EXISTS latencies (architecture TEXT PRIMARY KEY, milliseconds REAL NOT NULL) WITHOUT ROWID"
)
# All but what was measured, and where scores were known from.
_DECIDED = "trial, architecture, key, status, reason, scores, flops, params, memory, layers, duplicate_of"
COLUMNS = f"{_DECIDED}, latency, seconds, cached"
_INSERT = f"INSERT INTO trials ({COLUMNS}) VALUES ({', '.join('?' * len(COLUMNS.split(',')))})"

# Trials that are looked at together.
CHUNK = 2000


class Journal:
    """Access to one journal file. The caller holds the run folder's lock.

    Args:
        path: of the file; created if it is not there.
        read_only: looks at the file as it is now and changes nothing; the lock is not needed then.

    Raises:
        InputError: if the file is something else than a journal of this version or one that is migrated to it.
        DamagedError: if it cannot be read; reading from it later may raise this too.
        WrcorError: if it cannot be opened or written.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        with storage_errors(path):
            self._db = _looked_at(path) if read_only else sqlite3.connect(path, isolation_level=None)
        try:
            version = journal_versions.version_of(self._db, path)
            self.is_new = version == 0
            with storage_errors(path):
                self._db.execute("PRAGMA cell_size_check=ON")  # a damaged page may hold anything
                if read_only:
                    journal_versions.show_as_today(self._db, version)
                    return
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=NORMAL")
            if 0 < version < journal_versions.VERSION:
                with self._transaction():
                    journal_versions.migrate(self._db, version)
        except WrcorError:
            self._db.close()
            raise

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with storage_errors(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                # A full disk makes SQLite roll back by itself.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def create(self, record: Mapping[str, object]) -> None:
        """Writes the tables and the run's record (JSON values by name) at once into a new file."""
        with self._transaction():
            for statement in journal_versions.SCHEMA:
                self._db.execute(statement)
            for name, value in record.items():
                self._db.execute("INSERT INTO record VALUES (?, ?)", (name, json.dumps(value)))
        self.is_new = False

    def record(self) -> dict[str, Any]:
        """The run's record."""
        with storage_errors(self.path):
            return {name: _read(value) for name, value in self._db.execute("SELECT name, value FROM record")}

    def update_record(self, name: str, value: object) -> None:
        """Replaces one entry of the run's record."""
        with self._transaction():
            self._db.execute("UPDATE record SET value = ? WHERE name = ?", (json.dumps(value), name))

    def append(self, trial: Trial) -> None:
        """Commits a trial."""
        with self._transaction():
            self._db.execute(_INSERT, _row(trial))

    def append_all(self, trials: Iterable[Trial]) -> None:
        """Commits trials together."""
        with self._transaction():
            self._db.executemany(_INSERT, map(_row, trials))

    def checkpoint(self, told: int, strategy_state: Mapping[str, Any], *, exhausted: bool = False) -> None:
        """Commits the strategy's state after it has been told the first `told` trials, and whether it has no more."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO checkpoint VALUES (0, ?, ?)", (told, json.dumps(strategy_state)))
            if exhausted:
                self._db.execute("INSERT OR REPLACE INTO record VALUES ('exhausted', ?)", (json.dumps(told),))

    @property
    def exhausted(self) -> bool:
        """Whether the strategy has nothing more to propose: the run is complete, whatever its budget."""
        with storage_errors(self.path):
            # After as many trials as that, and not after fewer, should some be lost.
            query = "SELECT 1 FROM record, checkpoint WHERE name = 'exhausted' AND value = CAST(told AS TEXT)"
            return self._db.execute(query).fetchone() is not None

    def keep_latency(self, architecture: str, milliseconds: float) -> None:
        """Commits what was measured of an architecture, whether or not it becomes a trial."""
        with self._transaction():
            self._db.execute(_LATENCIES)
            self._db.execute("INSERT OR IGNORE INTO latencies VALUES (?, ?)", (architecture, milliseconds))

    def latencies(self) -> dict[str, float]:
        """What was measured, in milliseconds by architecture."""
        with storage_errors(self.path):
            (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'latencies'").fetchone()
            return dict(self._db.execute("SELECT architecture, milliseconds FROM latencies")) if tables else {}

    def check(self) -> None:
        """Reads the whole file once, much faster than `trials` does.

        Raises:
            DamagedError: if something in it has not the form in which it was written.
        """
        with storage_errors(self.path):
            (found,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
            (page_bytes,) = self._db.execute("PRAGMA page_size").fetchone()
            if self.path.stat().st_size % page_bytes:
                found = "its last page is not complete"
            if found != "ok":
                raise sqlite3.DatabaseError(f"malformed: {found}")
            # Python decodes one long text faster than many short ones.
            texts = "group_concat(architecture || key || status || coalesce(reason, ''), '')"
            query = f"SELECT min(json_type(scores) = 'object'), {texts} FROM trials WHERE trial >= ? AND trial < ?"
            for first in range(0, self.end(), CHUNK):
                valid, _ = self._db.execute(query, (first, first + CHUNK)).fetchone()
                if valid == 0:
                    raise sqlite3.DatabaseError(f"malformed scores among trials {first} to {first + CHUNK - 1}")
        self.record()
        self.told()

    def count(self) -> int:
        """How many trials are finished."""
        with storage_errors(self.path):
            (count,) = self._db.execute("SELECT count(*) FROM trials").fetchone()
        return int(count)

    def told(self) -> tuple[int, dict[str, Any] | None]:
        """How many trials the strategy has been told, and its state after them; (0, None) before the first group."""
        with storage_errors(self.path):
            row = self._db.execute("SELECT told, strategy FROM checkpoint").fetchone()
            return (0, None) if row is None else (row[0], _read(row[1]))

    def scored(self, key: str, before: int) -> Trial | None:
        """The trial under number `before` that scored an architecture of this canonical key, if any did."""
        return next(self._select("WHERE key = ? AND duplicate_of IS NULL AND trial < ? LIMIT 1", (key, before)), None)

    def numbered(self, first: int, count: int) -> dict[int, Trial]:
        """Those of the trials `first`, ..., `first + count - 1` that are finished, by number."""
        return {trial.trial: trial for trial in self.between(first, first + count)}

    def between(self, first: int, end: int) -> Iterator[Trial]:
        """The finished trials from `first` to `end - 1` in order."""
        return self._select("WHERE trial >= ? AND trial < ? ORDER BY trial", (first, end))

    def end(self) -> int:
        """The number after the last finished trial."""
        with storage_errors(self.path):
            (end,) = self._db.execute("SELECT coalesce(max(trial) + 1, 0) FROM trials").fetchone()
        return int(end)

    def own_scores(self, *, dedup: bool = True) -> Iterator[tuple[int, dict[str, float | None]]]:
        """Number and scores of the trials that were scored themselves, in order: much faster than `trials`.

        Args:
            dedup: whether the run scores isomorphic architectures once. If not, of one that was scored more than once
                only the first trial is given; to look for that takes ten times as long.
        """
        query = "SELECT trial, scores FROM trials AS own WHERE duplicate_of IS NULL"
        if not dedup:
            query += (
                " AND NOT EXISTS (SELECT 1 FROM trials WHERE key = own.key AND duplicate_of IS NULL "
                "AND trial < own.trial AND architecture = own.architecture)"
            )
        query += " ORDER BY trial"
        with storage_errors(self.path):
            for number, scores in self._db.execute(query):
                yield number, _read(scores)

    def trial(self, number: int) -> Trial:
        """The trial of this number.

        Raises:
            KeyError: if there is none.
        """
        found = next(self._select("WHERE trial = ?", (number,)), None)
        if found is None:
            raise KeyError(number)
        return found

    def trials(self) -> Iterator[Trial]:
        """All trials in order."""
        return self._select("ORDER BY trial")

    def status_counts(self) -> dict[str, int]:
        """How many trials ended with each status."""
        with storage_errors(self.path):
            return dict(self._db.execute("SELECT status, count(*) FROM trials GROUP BY status ORDER BY status"))

    def duplicates(self) -> int:
        """How many trials took over the scores of an isomorphic one."""
        with storage_errors(self.path):
            (count,) = self._db.execute("SELECT count(*) FROM trials WHERE duplicate_of IS NOT NULL").fetchone()
        return int(count)

    def cached(self) -> int:
        """How many trials found their scores in a cache."""
        with storage_errors(self.path):
            (count,) = self._db.execute("SELECT count(*) FROM trials WHERE cached").fetchone()
        return int(count)

    def seconds(self) -> float:
        """Wall time of building and scoring, added up over all trials."""
        with storage_errors(self.path):
            (total,) = self._db.execute("SELECT total(seconds) FROM trials").fetchone()
        return float(total)

    def reasons(self, count: int = 5) -> dict[str, int]:
        """The commonest reasons for what went wrong, and how often each came up."""
        query = (
            "SELECT reason, count(*) FROM trials WHERE reason IS NOT NULL "
            "GROUP BY reason ORDER BY count(*) DESC, reason LIMIT ?"
        )
        with storage_errors(self.path):
            return dict(self._db.execute(query, (count,)))

    def commonest_reason(self) -> str | None:
        """The reason that most trials without a score give."""
        query = "SELECT reason FROM trials WHERE status != 'ok' GROUP BY reason ORDER BY count(*) DESC, reason LIMIT 1"
        with storage_errors(self.path):
            row = self._db.execute(query).fetchone()
        return None if row is None else row[0]

    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) over all that the search decided, not over what was measured or known before.

        Two runs with one fingerprint proposed, scored and ranked alike; interrupted or not makes no difference.
        """
        digest = hashlib.sha256()
        with storage_errors(self.path):
            for row in self._db.execute(f"SELECT {_DECIDED} FROM trials ORDER BY trial"):
                digest.update(json.dumps(row).encode())
        digest.update(json.dumps(self.told(), sort_keys=True).encode())
        return digest.hexdigest()

    def close(self) -> None:
        """Folds the write-ahead log into the file and closes it."""
        with storage_errors(self.path):
            self._db.close()

    def _select(self, clause: str, values: tuple[object, ...] = ()) -> Iterator[Trial]:
        with storage_errors(self.path):
            for row in self._db.execute(f"SELECT {COLUMNS} FROM trials {clause}", values):
                yield trial_of(row)


def trial_of(row: Sequence[Any]) -> Trial:
    """The trial that a row with the columns `COLUMNS` holds.

    Raises:
        sqlite3.DatabaseError: if its scores cannot be read.
    """
    number, architecture, key, status, reason, scores, *costs, duplicate_of, latency, seconds, cached = row
    evaluation = Evaluation(status, _read(scores), seconds, reason, bool(cached))
    cost = None if costs[0] is None else Cost(*costs)
    return Trial(number, architecture, key, cost, evaluation, duplicate_of, latency)


def _row(trial: Trial) -> tuple[object, ...]:
    evaluation = trial.evaluation
    return (
        trial.trial, trial.architecture, trial.key, evaluation.status, evaluation.reason,
        json.dumps(dict(evaluation.scores)), trial.flops, trial.params, trial.memory, trial.layers,
        trial.duplicate_of, trial.latency, evaluation.seconds, evaluation.cached,
    )  # fmt: skip


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(f"malformed JSON: {error}") from error


def read_record(path: Path) -> dict[str, Any] | None:
    """The record of the run that a journal belongs to, without locking it; None where there is no such journal."""
    try:
        db = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
    except sqlite3.Error:
        return None
    try:
        return {name: json.loads(value) for name, value in db.execute("SELECT name, value FROM record")}
    except (sqlite3.Error, ValueError):
        return None
    finally:
        db.close()


def _looked_at(path: Path) -> sqlite3.Connection:
    """A connection that sees the file as of now and writes nothing, not even beside it."""
    # Without a log there is nobody who writes; asked for the usual reading, SQLite would leave a log behind.
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    db = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{mode}", uri=True, isolation_level=None)
    db.execute("BEGIN")  # what a search commits in the meantime does not show: all numbers are of one moment
    return db
