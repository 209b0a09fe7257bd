"""Hooks into a search: told everything once, and never in its way. Those that the documentation shows, with fakes."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest
from rich.console import Console

import wrcor_ext
from wrcor_ext.search import main
from wrcor_ext.search.callbacks import Callbacks, Start
from wrcor_ext.search.front import Standing
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.objective import Objective

DOCS = Path(wrcor_ext.__file__).parents[1] / "docs"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("hooks", None)


def trials(folder):
    journal = Journal(Path(folder) / "trials.sqlite", read_only=True)
    try:
        return list(journal.trials())
    finally:
        journal.close()


def searched(tiny, *words, hook="hooks:Hook"):
    return main([*tiny, *map(str, words), *(["--callback", hook] if hook else [])])


RECORDING = """
class Hook:
    def __init__(self):
        self.calls = []
    def on_start(self, start):
        seed = start.config["seed"]
        self.calls.append(("start", start.folder.name, start.finished, start.best, start.objective.name, seed))
    def on_trial(self, trial):
        self.calls.append(("trial", trial.trial, trial.evaluation.scores["wrcor"]))
    def on_end(self, end):
        self.calls.append(("end", end.finished, end.best, end.error))
hook = Hook()
"""


def test_a_callback_is_told_of_every_trial_once(tiny):
    Path("hooks.py").write_text(RECORDING)
    assert searched(tiny, "--budget", 5, "--seed", 3, "--out", "a", hook="hooks:hook") == 0
    calls = sys.modules["hooks"].hook.calls
    found = trials("a")
    scored = [one for one in found if one.evaluation.scores["wrcor"] is not None]
    best = max(scored, key=lambda one: (one.evaluation.scores["wrcor"], -one.trial))
    assert calls[0] == ("start", "a", 0, None, "wrcor", 3)
    assert calls[1:-1] == [("trial", one.trial, one.evaluation.scores["wrcor"]) for one in found]
    assert calls[-1] == ("end", 5, best, None)
    calls.clear()
    assert searched(tiny, "--budget", 7, "--seed", 3, "--out", "a", "--resume", hook="hooks:hook") == 0
    assert calls[0][:4] == ("start", "a", 5, best)
    assert [call[1] for call in calls[1:-1]] == [5, 6]
    assert calls[-1][1] == 7


def test_a_callback_that_fails_is_named_and_left_out(tiny, capsys):
    Path("hooks.py").write_text(
        RECORDING + "def broken(trial):\n    raise OSError('no network')\nhook.on_trial = broken\n"
    )
    assert searched(tiny, "--budget", 3, "--out", "a", hook="hooks:hook") == 0
    assert len(trials("a")) == 3
    message = "note: --callback hooks:hook failed and is left out: OSError: no network"
    assert capsys.readouterr().err.count(message) == 1
    assert [call[0] for call in sys.modules["hooks"].hook.calls] == ["start"]


def test_the_end_is_told_with_the_error():
    class Hook:
        def on_start(self, start):
            self.start = start

        def on_end(self, end):
            self.end = end

    hook, error = Hook(), RuntimeError("no")
    with (
        pytest.raises(RuntimeError),
        Callbacks({"x": hook}, Start(Path("a"), Objective.named("wrcor"), {}, {}, 2, None), Console()),
    ):
        raise error
    assert (hook.end.finished, hook.end.best, hook.end.error) == (2, None, error)


@pytest.mark.parametrize(
    ("source", "hook", "message"),
    [
        (
            "class Hook: pass",
            "hooks:Hook",
            "--callback hooks:Hook: Hook has not the methods on_start, on_trial, on_end",
        ),
        ("def make():\n    raise KeyError(3)", "hooks:make", "--callback hooks:make: cannot be made: KeyError: 3"),
        ("", "hooks:Hook", "error: --callback: 'hooks:Hook': hooks has no attribute 'Hook'"),
        ("", "nowhere_at_all:Hook", "there is no module 'nowhere_at_all'"),
        ("", "hooks", "--callback: 'hooks' does not have the form package.module:attribute"),
    ],
)
def test_what_is_no_callback_is_refused_before_anything_is_written(tiny, capsys, source, hook, message):
    Path("hooks.py").write_text(source)
    assert searched(tiny, "--budget", 3, "--out", "a", hook=hook) == 2
    assert message in capsys.readouterr().err
    assert not Path("a").exists()


def documented(library):
    """The example of a library in the documentation."""
    blocks = re.findall(r'```python title="hooks.py"\n(.*?)```', (DOCS / "report.md").read_text(), flags=re.DOTALL)
    (found,) = [block for block in blocks if f"import {library}" in block]
    return found


class Fake(types.ModuleType):
    """A library that writes down how it is called; its functions return an object that does the same."""

    def __init__(self, name):
        super().__init__(name)
        self.calls, self.summary = [], {}

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*words, **options):
            self.calls.append((name, words, options))
            return self

        return call


def test_the_hook_for_weights_and_biases_works(tiny, monkeypatch):
    fake = Fake("wandb")
    monkeypatch.setitem(sys.modules, "wandb", fake)
    Path("hooks.py").write_text(documented("wandb"))
    assert searched(tiny, "--budget", 3, "--out", "a") == 0
    assert [call[0] for call in fake.calls] == ["init", "log", "log", "log", "finish"]
    assert fake.calls[0][2]["config"]["budget"] == 3
    for (_, (logged,), _), one in zip(fake.calls[1:-1], trials("a"), strict=True):
        assert logged == {"trial": one.trial, "flops": one.flops, **one.evaluation.scores}
    assert fake.summary["best"] in [one.architecture for one in trials("a")]


def test_the_hook_for_mlflow_works(tiny, monkeypatch):
    fake = Fake("mlflow")
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    Path("hooks.py").write_text(documented("mlflow"))
    assert searched(tiny, "--budget", 2, "--out", "a") == 0
    names = [call[0] for call in fake.calls]
    assert names == ["start_run", "log_params", "log_metrics", "log_metrics", "log_artifact", "end_run"]
    assert [call[2]["step"] for call in fake.calls[2:4]] == [0, 1]
    assert Path(fake.calls[4][1][0]).is_file()


def test_tensorboard_has_the_scalars_of_the_journal(tiny):
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    assert searched(tiny, "--budget", 4, "--proxies", "wrcor", "naswot", "--tensorboard", "--out", "a", hook=None) == 0
    words = ("--budget", 6, "--proxies", "wrcor", "naswot", "--tensorboard", "--out", "a", "--resume")
    assert searched(tiny, *words, hook=None) == 0
    found = trials("a")
    scalars = read_scalars(Path("a/tensorboard"))
    assert scalars["cost/flops"] == {one.trial: pytest.approx(one.flops) for one in found}
    for name in ("wrcor", "naswot"):
        expected = {one.trial: one.evaluation.scores[name] for one in found}
        assert scalars[f"proxy/{name}"] == pytest.approx({n: v for n, v in expected.items() if v is not None}, rel=1e-6)
    best = list(scalars["search/best"].values())
    assert best == sorted(best)
    assert best[-1] == pytest.approx(
        max(v for one in found if (v := one.evaluation.scores["wrcor"]) is not None), rel=1e-6
    )


def read_scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return {
        tag: {event.step: event.value for event in accumulator.Scalars(tag)} for tag in accumulator.Tags()["scalars"]
    }


def test_without_tensorboard_the_option_is_refused(tiny, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None)
    assert searched(tiny, "--budget", 2, "--tensorboard", "--out", "a", hook=None) == 2
    assert "--tensorboard: TensorBoard is not installed" in capsys.readouterr().err
    assert not Path("a").exists()


def test_the_best_of_a_vote_is_the_one_that_wins_against_the_best_so_far(tiny):
    pytest.importorskip("tensorboard", reason="the extra `tensorboard` is not installed")
    Path("hooks.py").write_text(RECORDING)
    words = ("--budget", 4, "--proxies", "vote:rank(wrcor,naswot)", "--tensorboard", "--out", "a")
    assert searched(tiny, *words, hook="hooks:hook") == 0
    standing = Standing(Objective.named("vote:rank(wrcor,naswot)"))
    for one in trials("a"):
        standing.add(one)
    assert sys.modules["hooks"].hook.calls[-1] == ("end", 4, standing.best, None)
    scalars = read_scalars(Path("a/tensorboard"))
    assert {"proxy/wrcor", "proxy/naswot"} < set(scalars)
    assert "search/best" not in scalars
