"""What happens to disks, folders and clocks while a search runs: one sentence, exit code 2, no trial lost."""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path

import pytest

from wrcor_ext.search import main
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.study import JOURNAL


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Relative paths belong into the test's own folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def words(tiny):
    return [*tiny, "--budget", "24", "--json"]


@pytest.fixture
def whole(words, capsys):
    """The fingerprint of a run that nothing happens to."""
    assert main([*words, "--out", "whole"]) == 0
    return json.loads(capsys.readouterr().out)["fingerprint"]


def one_error(capsys):
    """The last line of stderr, which is the only one that says what is wrong."""
    *others, last = capsys.readouterr().err.splitlines()
    assert last.startswith("error: ")
    assert not any("error" in line or "Traceback" in line for line in others)
    return last


def goes_on(words, whole, capsys):
    assert main([*words, "--out", "a", "--resume"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["fingerprint"] == whole
    return captured.err


def test_a_full_disk(words, whole, capsys, monkeypatch):
    create = Journal.create

    def on_a_small_disk(self, record):
        create(self, record)
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        self._db.execute(f"PRAGMA max_page_count={pages + 1}")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "create", on_a_small_disk)
        assert main([*words, "--out", "a"]) == 2
    assert one_error(capsys) == f"error: cannot use a/{JOURNAL}: database or disk is full; finished trials are kept"
    journal = Journal(Path("a") / JOURNAL, read_only=True)
    assert 0 < journal.count() < 24
    journal.close()
    goes_on(words, whole, capsys)


def test_a_folder_that_cannot_be_written(words, capsys, tmp_path):
    folder = Path("/proc/a")  # where even root makes no folders
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        folder = tmp_path / "a"
    try:
        assert main([*words, "--out", str(folder)]) == 2
        assert one_error(capsys).startswith(f"error: cannot write {folder}: ")
    finally:
        tmp_path.chmod(0o700)
    assert not folder.exists()


def test_a_run_that_may_no_longer_be_written(words, whole, capsys, monkeypatch):
    assert main([*words, "--budget", "9", "--out", "a"]) == 0
    capsys.readouterr()
    real = open

    def read_only(path, mode="r", **options):
        if str(path).startswith("a/") and mode != "r":
            raise OSError(30, "Read-only file system")
        return real(path, mode, **options)

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", read_only)
        assert main([*words, "--out", "a", "--resume"]) == 2
    assert one_error(capsys) == "error: cannot write a/.lock: Read-only file system; finished trials are kept"
    goes_on(words, whole, capsys)


def test_a_clock_that_jumps_back(words, whole, capsys, monkeypatch):
    moments = itertools.count(2e9, -86400)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: next(moments))
        patch.setattr(time, "time_ns", lambda: int(next(moments)) * 10**9)
        assert main([*words, "--budget", "9", "--out", "a"]) == 0
        capsys.readouterr()
        goes_on(words, whole, capsys)
    journal = Journal(Path("a") / JOURNAL, read_only=True)
    assert all(trial.evaluation.seconds > 0 for trial in journal.trials() if trial.duplicate_of is None)
    journal.close()


def test_a_damaged_journal(words, whole, capsys):
    assert main([*words, "--budget", "18", "--out", "a"]) == 0
    capsys.readouterr()
    path = Path("a") / JOURNAL
    content = path.read_bytes()
    table = next(page for page in range(0, len(content), 4096) if b'{"wrcor": ' in content[page : page + 4096])
    path.write_bytes(content[:table] + bytes(4096) + content[table + 4096 :])
    for command in (["show", "a"], [*words, "--out", "a"]):
        assert main(command) == 2
        assert "is damaged" in (said := one_error(capsys))
        assert "the search with --resume keeps the trials that can be read" in said
    notes = goes_on(words, whole, capsys)
    assert "note: the journal was damaged: " in notes
    assert f"the old file is a/{JOURNAL}.damaged-1" in notes
