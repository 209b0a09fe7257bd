"""Writing into the run folder: all or nothing, and one clear sentence when the disk refuses."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wrcor_ext.errors import InputError, WrcorError

_LOCK = ".lock"

# `is_locked` holds the lock for some microseconds: a search that begins just then tries again.
_LOOKS = 3
_LOOK_SECONDS = 0.02


# What SQLite says of a file that is no longer as it was written. Python tells error codes from 3.11 on only.
_SIGNS_OF_DAMAGE = ("malformed", "not a database", "Could not decode to UTF-8")


class DamagedError(WrcorError):
    """A journal cannot be read as it was written; `recovery.recovered` keeps what can."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns what the disk or SQLite raise inside into a `WrcorError` that names `path`.

    Raises:
        DamagedError: where SQLite finds the file damaged.
    """
    try:
        yield
    except OSError as error:
        raise WrcorError(f"cannot write {path}: {error.strerror or error}; finished trials are kept") from error
    except sqlite3.Error as error:
        found = damage(path, error) or WrcorError(f"cannot use {path}: {error}; finished trials are kept")
        raise found from error


def damage(path: Path, error: sqlite3.Error) -> DamagedError | None:
    """What to raise where an error of SQLite means that the file at `path` is damaged; None for any other error."""
    if not any(sign in str(error) for sign in _SIGNS_OF_DAMAGE):
        return None
    what = "no search journal, or damaged" if "not a database" in str(error) else "damaged"
    return DamagedError(f"{path} is {what} ({error}): the search with --resume keeps the trials that can be read")


def write_atomically(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Puts `content` at `path` at once: at any moment the file is the old one or the new one, never a part.

    Args:
        path: of the file.
        content: all of it, or what writes it into an open file, where it is too much to be held.

    Raises:
        WrcorError: if the disk refuses; the old file is untouched then.
    """
    # One name per target is enough: the folder's lock keeps other writers out, and what a killed run left is replaced.
    temporary = path.with_name(f".{path.name}.tmp")
    with storage_errors(path):
        try:
            with open(temporary, "wb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    content(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def is_locked(folder: Path) -> bool:
    """Whether a process holds the folder's lock."""
    try:
        with open(folder / _LOCK, encoding="utf-8") as file:
            # Shared: whoever else is just looking is not in the way, and it is let go at once.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no lock file, or one that cannot be read
        return False
    return False


class FolderLock:
    """Keeps a run folder for one process. The system releases it when the process ends, however it ends.

    Raises:
        InputError: if another process holds it.
        WrcorError: if the lock file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / _LOCK
        with storage_errors(path):
            self._file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 (held until close)
        try:
            self._lock()
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise InputError(f"run folder {folder} is in use by another process (id {holder})") from error
        # Only for the message above: what locks is the open file, not its text.
        with storage_errors(path):
            self._file.truncate(0)
            self._file.write(str(os.getpid()))
            self._file.flush()

    def _lock(self) -> None:
        for _ in range(_LOOKS):
            with suppress(BlockingIOError):
                return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            time.sleep(_LOOK_SECONDS)
        return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Lets others in."""
        self._file.close()
