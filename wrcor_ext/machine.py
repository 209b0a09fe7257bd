"""Facts about the machine and the sources that results depend on; nothing that identifies the machine."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
# What scores are made of: a changed text or test does not make them others.
SOURCES = ("wrcor_ext", "csrc", "setup.py", "CMakeLists.txt")


def cpu_model() -> str:
    """The processor's marketing name; `platform.processor()` does not know it on Linux."""
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown"


def commit(root: Path = _ROOT, sources: Sequence[str] = SOURCES) -> str:
    """Short hash of the checkout that this package is used from, with "+" behind it where `sources` were changed since.

    Args:
        root: of the checkout; a folder within another repository, such as an environment, is none.
        sources: paths below it.

    Returns:
        The hash; "" where there is no checkout, or no git.
    """
    try:
        if not Path(_git(root, "rev-parse", "--show-toplevel")).samefile(root):
            return ""
        short = _git(root, "rev-parse", "--short=12", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *sources)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return short + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    found = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True)
    return found.stdout.strip()
