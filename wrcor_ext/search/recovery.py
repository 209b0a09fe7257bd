"""What can be read of a damaged journal, as a new one.

The new journal is complete before the damaged one gets another name, so that an end at any moment loses nothing. Where
trials are missing, the strategy's state is not taken over: the search then begins at its first trial, takes from the
journal what is there and evaluates the rest, and so gets to the result that it would have had.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from wrcor_ext.errors import WrcorError
from wrcor_ext.results import STATUSES
from wrcor_ext.search.files import DamagedError, storage_errors
from wrcor_ext.search.journal import COLUMNS, Journal, trial_of
from wrcor_ext.search.trial import Trial

T = TypeVar("T")

_PAGE_BYTES = 4096  # of SQLite's files since 2016
_PAGE_COUNT = slice(28, 32)  # where the first page has it, big-endian
_LEAF = 0x0D  # the first byte of a page with rows of a table
_SUFFIXES = ("-wal", "-shm", "")

# Of many ranges of missing trials, a message names the first.
_MOST_RANGES = 5


@dataclass(frozen=True)
class Recovered:
    """What became of a damaged journal.

    Attributes:
        kept: how many trials could be read.
        missing: numbers of those that could not, in order.
        recorded: whether the run's record was among what could be read.
        damaged: where the damaged file is now.
    """

    kept: int
    missing: tuple[int, ...]
    recorded: bool
    damaged: Path

    def __str__(self) -> str:
        what = (
            f"{_in_words(self.missing)} are missing and will be evaluated again" if self.missing else "none is missing"
        )
        options = "" if self.recorded else ", the options of the run are taken to be those of this command"
        kept = f"{self.kept} trials could be read"
        return f"the journal was damaged: {kept}, {what}{options}; the old file is {self.damaged}"


def recover(path: Path, record: Mapping[str, object]) -> Recovered:
    """Replaces a damaged journal by one that holds all that can be read of it.

    Args:
        path: of the journal; the caller holds the folder's lock, and nobody has it open.
        record: stands for the run's record where that cannot be read.

    Raises:
        DamagedError: if nothing can be read; the journal is left as it is.
        WrcorError: if the disk refuses, likewise.
    """
    unfinished, copy = _beside(path, "unfinished"), _beside(path, "copy")
    try:
        with storage_errors(path):
            latencies = _latencies(path)
            _copy(path, copy)
            found = _fill(unfinished, copy, record, latencies)
            if found is None:
                raise DamagedError(f"{path} is damaged, and nothing of it can be read: choose another --out")
            damaged = next(name for n in count(1) if not (name := _beside(path, f"damaged-{n}")).exists())
            os.replace(unfinished, _beside(path, "recovered"))  # complete; from here on, `finish` does the rest
            for suffix in _SUFFIXES:
                with suppress(FileNotFoundError):
                    os.replace(f"{path}{suffix}", f"{damaged}{suffix}")
    finally:
        _remove(unfinished)
        _remove(copy)
    finish(path)
    return Recovered(*found, damaged)


def finish(path: Path) -> None:
    """Gives a recovered journal its name, where the process that recovered it did not live to do so."""
    if _beside(path, "recovered").exists() and not path.exists():
        with storage_errors(path):
            os.replace(_beside(path, "recovered"), path)


def _copy(path: Path, copy: Path) -> None:
    """Copies a journal, all of it into one file, with a first page that can be read."""
    _remove(copy)
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError):
            shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
    os.truncate(copy, copy.stat().st_size // _PAGE_BYTES * _PAGE_BYTES)  # half a page may look like a whole one
    _renew_first_page(copy)
    with suppress(sqlite3.Error), closing(sqlite3.connect(copy)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _renew_first_page(copy)  # the log may have had another one


def _renew_first_page(path: Path) -> None:
    """Replaces the page that describes the tables by that of a new journal: they begin at the same pages in all."""
    template = _beside(path, "template")
    _remove(template)
    with closing(Journal(template)) as new:
        new.create({})
    content = template.read_bytes()
    _remove(template)
    page = bytearray(content[:_PAGE_BYTES])
    # At least the pages that tables begin at: SQLite would not even look at a file that lost one of them.
    size = max(path.stat().st_size, len(content))
    page[_PAGE_COUNT] = (size // _PAGE_BYTES).to_bytes(4, "big")
    with path.open("r+b") as file:
        file.truncate(size)
        file.write(page)


def _latencies(path: Path) -> dict[str, float]:
    with suppress(WrcorError), closing(Journal(path, read_only=True)) as journal:
        return journal.latencies()
    return {}


def _fill(
    new: Path, source: Path, record: Mapping[str, object], latencies: Mapping[str, float]
) -> tuple[int, tuple[int, ...], bool] | None:
    """Makes a new journal of another one; returns what `Recovered` says of it, None where nothing could be read."""
    _remove(new)
    with closing(Journal(source, read_only=True)) as old:
        found = _unless_damaged(old.record, {"config": None})
        nobody: tuple[int, dict[str, Any] | None] = (0, None)
        told, state = _unless_damaged(old.told, nobody)
    recorded = {"config", "environment"} <= found.keys()
    with closing(Journal(new)) as journal:
        journal.create(found if recorded else record)
        seen: set[int] = set()
        journal.append_all(_trials(source, seen))
        if not seen and not recorded:
            return None
        known = {trial.architecture: trial.latency for trial in journal.trials() if trial.latency is not None}
        for architecture, milliseconds in {**known, **latencies}.items():
            journal.keep_latency(architecture, milliseconds)
        missing = tuple(number for number in range(max(told, journal.end())) if number not in seen)
        if state is not None and (not missing or missing[0] >= told):
            journal.checkpoint(told, state)
    return len(seen), missing, recorded


def _trials(path: Path, seen: set[int]) -> Iterator[Trial]:
    """The trials on all pages that can be read, whatever has become of those that lead to them; adds them to `seen`."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.text_factory = _text
        for setting in ("journal_mode=OFF", "synchronous=OFF", "cell_size_check=ON"):
            db.execute(f"PRAGMA {setting}")
        for page in _leaves(path):
            # A leaf is a whole table to SQLite, if it is told that the table begins there.
            db.execute("PRAGMA writable_schema=ON")
            db.execute("UPDATE sqlite_master SET rootpage = ? WHERE name = 'trials'", (page,))
            db.execute("PRAGMA writable_schema=RESET")
            with suppress(sqlite3.Error):
                for row in db.execute(f"SELECT {COLUMNS} FROM trials NOT INDEXED"):
                    trial = _trial(row)
                    if trial is not None and trial.trial not in seen:
                        seen.add(trial.trial)
                        yield trial


def _leaves(path: Path) -> Iterator[int]:
    """The numbers of the pages that look like leaves of a table."""
    with path.open("rb") as file:
        for number in count(1):
            page = file.read(_PAGE_BYTES)
            if len(page) < _PAGE_BYTES:
                return
            if page[0] == _LEAF and number > 1:
                yield number


def _text(raw: bytes) -> str | None:
    with suppress(UnicodeDecodeError):
        return raw.decode()
    return None


def _trial(row: Sequence[Any]) -> Trial | None:
    """The trial of a row; None for what no search has written."""
    with suppress(sqlite3.Error):
        trial = trial_of(row)
        return trial if _makes_sense(trial) else None
    return None


def _makes_sense(trial: Trial) -> bool:
    evaluation = trial.evaluation
    texts: list[object] = [trial.architecture, trial.key, evaluation.reason or ""]
    integers: list[object] = [trial.flops or 0, trial.params or 0, trial.duplicate_of or 0]
    scores: object = evaluation.scores
    return (
        trial.trial >= 0
        and evaluation.status in STATUSES
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(integer, int) for integer in integers)
        and isinstance(scores, dict)
        and all(value is None or isinstance(value, float) for value in scores.values())
    )


def _unless_damaged(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except WrcorError:
        return otherwise


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}.{ending}")


def _remove(path: Path) -> None:
    for suffix in _SUFFIXES:
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _in_words(numbers: tuple[int, ...]) -> str:
    """`3, 7 to 12`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    shown = [str(low) if low == high else f"{low} to {high}" for low, high in ranges[:_MOST_RANGES]]
    more = len(numbers) - sum(high - low + 1 for low, high in ranges[:_MOST_RANGES])
    return ", ".join(shown) + (f" and {more} more" if more else "")
