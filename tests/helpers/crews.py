"""Candidates for a crew of workers, and evaluators that trouble it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from helpers.toy import ToyEvaluator, ToySpace

from wrcor_ext.errors import BackendError

ARCHS = [(0, 1, 2, 3), (4, 4, 4, 4), (1, 1, 1, 1), (2, 0, 0, 0), (3, 3, 0, 1)]


class Troubled(ToyEvaluator):
    """Dies, hangs or refuses over one architecture, as often as `times` says; the count is in files."""

    def __init__(self, trouble: str, times: int, folder: str, arch=(4, 4, 4, 4)) -> None:
        super().__init__()
        self._trouble, self._times, self._folder, self._arch = trouble, times, Path(folder), arch

    def evaluate(self, arch):
        if arch == self._arch:
            met = len(list(self._folder.glob(f"{self._trouble}-*")))
            if met < self._times:
                (self._folder / f"{self._trouble}-{met}").touch()
                if self._trouble == "dies":
                    os.kill(os.getpid(), signal.SIGKILL)
                if self._trouble == "hangs":
                    time.sleep(60)
                raise BackendError("no such backend")
        return super().evaluate(arch)


def toy():
    return ToySpace(), ToyEvaluator()


def troubled(trouble, times, folder):
    return ToySpace(), Troubled(trouble, times, folder)


class DyingAndHanging(ToyEvaluator):
    """Dies twice over (4, 4, 4, 4), and hangs once over (1, 1, 1, 1)."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._dying = Troubled("dies", 2, folder)
        self._hanging = Troubled("hangs", 1, folder, (1, 1, 1, 1))

    def evaluate(self, arch):
        self._hanging.evaluate(arch)
        return self._dying.evaluate(arch)


def dying_and_hanging(folder):
    return ToySpace(), DyingAndHanging(folder)


def ends():
    os._exit(3)


def ends_unless_first(folder):
    try:
        (Path(folder) / "first").touch(exist_ok=False)
    except FileExistsError:
        ends()
    return toy()


def broken():
    raise ImportError("no module named users_space")


def answers(found):
    return {index: (cost, evaluation.status, evaluation.scores) for index, cost, evaluation in found}


TRUTH = answers((i, ToySpace().cost(arch), ToyEvaluator().evaluate(arch)) for i, arch in enumerate(ARCHS))
