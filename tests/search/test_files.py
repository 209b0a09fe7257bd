"""All or nothing on the disk, and one process per folder."""

from __future__ import annotations

import os

import pytest

from wrcor_ext.errors import InputError, WrcorError
from wrcor_ext.search.files import FolderLock, write_atomically


def test_a_file_is_replaced_and_nothing_else_stays(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"old and long")
    (tmp_path / ".a.txt.tmp").write_bytes(b"left by a killed process")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


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
