"""What is said about the machine and the sources."""

from __future__ import annotations

import subprocess

from wrcor_ext.machine import commit


def git(folder, *arguments):
    subprocess.run(
        ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True, capture_output=True
    )


def test_the_commit_is_that_of_a_checkout_and_says_whether_sources_changed(tmp_path):
    assert commit(tmp_path) == ""
    source = tmp_path / "code.py"
    source.write_text("1")
    (tmp_path / "text.md").write_text("1")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = commit(tmp_path, ["*.py"])
    assert len(clean) == 12
    assert set(clean) <= set("0123456789abcdef")
    (tmp_path / "text.md").write_text("2")
    assert commit(tmp_path, ["*.py"]) == clean
    source.write_text("2")
    assert commit(tmp_path, ["*.py"]) == f"{clean}+"


def test_a_folder_within_a_repository_is_no_checkout(tmp_path):
    git(tmp_path, "init")
    git(tmp_path, "commit", "--allow-empty", "-m", "first")
    inner = tmp_path / "site-packages"
    inner.mkdir()
    assert commit(inner) == ""
