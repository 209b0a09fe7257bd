"""All or nothing on the disk, and one process per folder."""

from __future__ import annotations

import fcntl
import os
import time

import pytest

from wrcor_ext.errors import InputError, WrcorError
from wrcor_ext.search.files import FolderLock, is_locked, write_atomically


def test_a_file_is_replaced_and_nothing_else_stays(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old and long")
    (tmp_path / ".a.txt.tmp").write_bytes(b"left by a killed process")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_what_is_too_much_to_be_held_is_written_bit_by_bit(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def write(file):
        file.write(b"new ")
        assert path.read_bytes() == b"old"
        file.write(b"and long")

    write_atomically(path, write)
    assert path.read_bytes() == b"new and long"


def test_the_old_file_stays_whole_when_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WrcorError, match=r"cannot write .*a\.txt: No space left on device; finished trials are kept"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_is_locked_until_it_is_closed(tmp_path):
    lock = FolderLock(tmp_path)
    with pytest.raises(InputError, match=rf"is in use by another process \(id {os.getpid()}\)"):
        FolderLock(tmp_path)
    lock.close()
    FolderLock(tmp_path).close()


def test_whoever_just_looks_at_a_lock_is_not_in_the_way(tmp_path, monkeypatch):
    (tmp_path / ".lock").touch()
    with open(tmp_path / ".lock") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(InputError, match="in use by another process"):
            FolderLock(tmp_path)  # for ever is too long
        monkeypatch.setattr(time, "sleep", lambda seconds: fcntl.flock(file, fcntl.LOCK_UN))
        lock = FolderLock(tmp_path)
        assert is_locked(tmp_path)
        lock.close()
    assert not is_locked(tmp_path)
