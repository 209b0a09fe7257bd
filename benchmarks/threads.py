"""Threads of numpy and torch alike. Imports neither: their libraries read the environment once, when loaded."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence


def limit_threads(arguments: Sequence[str]) -> None:
    """Gives numpy as many threads as `--threads` gives torch, and the kernels that it chooses itself.

    To be called before either is imported.
    """
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--threads", default="1")
    threads = early.parse_known_args(arguments)[0].threads
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = threads
    os.environ.pop("OPENBLAS_CORETYPE", None)
