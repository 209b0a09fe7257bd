"""Runs programs as a user would: outside the source tree, and without the tester's own settings."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def run(*command: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; `environ` is added to the environment, the exit code is the caller's to look at."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("CXX", "PYTHONPATH") and not k.startswith("WRCOR_")}
    line = [str(word) for word in command]
    return subprocess.run(line, cwd=cwd, env=inherited | environ, capture_output=True, text=True, check=False)


def run_ok(*command: str | Path, cwd: Path, **environ: str) -> str:
    """Like `run` for a command that has to succeed; returns its standard output."""
    done = run(*command, cwd=cwd, **environ)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout
