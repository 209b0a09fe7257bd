"""The live display: what it says on a terminal, and that it says nothing anywhere else."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys

import pytest
from helpers.trials import trial
from rich.console import Console

from wrcor_ext.search.front import Standing
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.progress import WIDE, Progress
from wrcor_ext.search.trial import Evaluation
from wrcor_ext.spaces import Cost

ONE, FRONT = Objective.named("wrcor"), Objective.of(["wrcor"], ["flops"])
DEGENERATE = Evaluation("degenerate", {"wrcor": None, "naswot": 0.1}, 0.1, cached=True)
TRIALS = [
    trial(3, 1.25), trial(4, None), trial(5, 2.5), trial(6, evaluation=DEGENERATE), trial(7, 1.25, duplicate_of=3),
]  # fmt: skip


def displayed(*, width=WIDE, terminal=True, objective=ONE, best=None, trials=TRIALS):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=None)
    progress = Progress(console, budget=20, done=3, standing=Standing(objective, [] if best is None else [best]))
    with progress:
        for one in trials:
            progress.show(one)
    return without_colours(console.file.getvalue())


def without_colours(text):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n")


def test_it_shows_how_far_how_good_and_what_was_special():
    text = displayed()
    assert "8/20" in text
    assert "best wrcor 2.50" in text
    assert "1 failed, 1 degenerate, 1 from the cache, 1 seen before" in text
    assert re.search(r"(/s|s each)", text)
    assert "left" in text


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_has_the_best_on_the_second_line(width):
    lines = displayed(width=width).splitlines()
    first = next(line for line in reversed(lines) if "8/20" in line)
    assert re.search(r"8/20 .*(/s|s each) .*left", first)
    assert lines[lines.index(first) + 1].startswith("best wrcor 2.50, 1 failed")


def test_a_resumed_run_shows_its_own_best():
    assert "best wrcor 9.00" in displayed(best=trial(0, 9.0))


def test_a_vote_has_a_best_but_no_number():
    assert "best by vote:rank(wrcor,naswot): trial 5" in displayed(objective=Objective.named("vote:rank(wrcor,naswot)"))


def test_of_several_objectives_it_shows_the_front_and_its_hypervolume():
    trials = [trial(n, wrcor, cost=Cost(flops, 20)) for n, (wrcor, flops) in enumerate([(1.0, 9), (2.0, 8), (3.0, 9)])]
    text = displayed(objective=FRONT, trials=trials)
    assert "front of 2, hypervolume 1.000 " in text  # above (1, 9), which only (2, 8) surpasses in both
    assert "no wrcor, -flops yet" in displayed(objective=FRONT, trials=[trial(0, None)])


@pytest.mark.parametrize("objective", [ONE, FRONT])
@pytest.mark.parametrize("width", [40, 60, 80, WIDE])
def test_it_never_wraps(width, objective):
    assert max(map(len, displayed(width=width, objective=objective).splitlines())) <= width


def test_nothing_is_shown_where_there_is_no_terminal():
    assert displayed(terminal=False).strip() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals on Windows")
def test_a_search_in_a_terminal_has_the_display_there_and_results_on_its_output(tiny, tmp_path):
    import pty

    terminal, inside = pty.openpty()
    words = [*tiny, "--budget", "4", "--out", str(tmp_path / "run"), "--json"]
    command = [sys.executable, "-m", "wrcor_ext.search", *words]
    environ = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    with subprocess.Popen(command, stdin=inside, stdout=subprocess.PIPE, stderr=inside, env=environ) as search:
        os.close(inside)
        shown = b""
        while part := _read(terminal):
            shown += part
        output = search.stdout.read()
    os.close(terminal)
    assert search.returncode == 0
    assert json.loads(output)["trials"] == 4
    text = without_colours(shown.decode())
    assert "4/4" in text
    assert "best wrcor" in text


def _read(terminal):
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux says so when nobody writes to it any more
        return b""
