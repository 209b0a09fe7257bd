"""A run whose strategy has nothing more to propose is complete: the command, its files, and who looks at them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from wrcor_ext.search.cli import main

# Twelve networks; of the narrow ones there are six.
SPACE = """
from torch import nn
from wrcor_ext import spaces

def net(width, depth, num_classes=10):
    layers = [nn.Conv2d(3, width, 1)]
    for _ in range(depth):
        layers += [nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)]
    return nn.Sequential(*layers, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes))

space = spaces.from_models(net, {"width": [4, 5, 6, 7], "depth": [1, 2, 3]}, image_size=8)
told = []

class Hook:
    def on_start(self, start):
        pass

    def on_trial(self, trial):
        pass

    def on_end(self, end):
        told.append((end.finished, end.exhausted))
"""
WORDS = (
    *("--space", "twelve_nets:space", "--dataset", "noise", "--batch-size", "4", "--image-size", "8", "--tail", "none"),
    *("--workers", "1"),
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "twelve_nets.py").write_text(SPACE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "twelve_nets", raising=False)


def searched(*words):
    return main([*WORDS, *words])


@pytest.mark.parametrize("strategy", ["random", "exhaustive"])
@pytest.mark.parametrize("group", ["5", "6"])
def test_the_run_is_complete_at_the_end_of_the_space(strategy, group, capsys):
    words = ("--strategy", strategy, "--group", group, "--out", "a")
    assert searched(*words, "--budget", "4") == 0
    assert "exhausted" not in capsys.readouterr().err
    assert searched(*words, "--budget", "50", "--resume", "--callback", "twelve_nets:Hook") == 0
    assert f"the space is exhausted after 12 of 50 trials: {strategy} has nothing more" in capsys.readouterr().err
    assert sys.modules["twelve_nets"].told == [(12, True)]
    texts = parquet.read_table("a/trials.parquet")["architecture"].to_pylist()
    assert len(texts) == len(set(texts)) == 12
    assert Path("a/report.html").exists()
    # Whoever comes later finds a complete run, whatever the budget.
    for budget in ("50", "70"):
        assert searched(*words, "--budget", budget, "--resume", "--json") == 0
        captured = capsys.readouterr()
        assert "a is complete with 12 trials: nothing left to do" in captured.err
        assert json.loads(captured.out)["exhausted"] is True
    assert main(["show", "a"]) == 0
    assert "a: complete, 12 of 70 trials" in capsys.readouterr().out
    assert searched("--strategy", strategy, "--group", group, "--budget", "50", "--out", "whole", "--json") == 0
    assert json.loads(capsys.readouterr().out)["best"][0] == json.loads(Path("a/best.json").read_text())


def test_the_end_of_what_is_within_the_limits(capsys):
    from twelve_nets import space

    flops = [space.cost(arch).flops for arch in space.enumerate()]
    limit = sorted(flops)[5]
    assert searched("--strategy", "random", "--budget", "50", "--max-flops", str(limit), "--out", "a") == 0
    assert "the space is exhausted after 6 of 50 trials" in capsys.readouterr().err
    found = parquet.read_table("a/trials.parquet")["flops"].to_pylist()
    assert sorted(found) == sorted(flops)[:6]


def test_a_space_that_cannot_be_enumerated_leaves_no_folder(capsys):
    assert main(["--space", "mobilenetv2", "--strategy", "exhaustive", "--dataset", "noise", "--out", "a"]) == 2
    assert capsys.readouterr().err == (
        "error: strategy 'exhaustive' needs a space that can be enumerated, and mobilenetv2 has too many "
        "architectures: choose another strategy\n"
    )
    assert not Path("a").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("--strategy", "random", "--population-size", "8"),
            "--population-size 8 has no effect: strategy random takes no option of its own",
        ),
        (
            ("--strategy", "local", "--tournament-size", "3"),
            "--tournament-size 3 has no effect: strategy local takes --move and --patience",
        ),
        (("--move", "best"), "--move best has no effect: strategy evolution takes"),
        (("--strategy", "local", "--move", "last"), "--move: expected one of first, best, not 'last'"),
        (("--strategy", "local", "--patience", "0"), "--patience: expected a whole number from 1"),
    ],
)
def test_options_of_another_strategy_or_out_of_range_get_one_sentence(words, sentence, capsys):
    assert searched(*words, "--out", "a") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {sentence}")
    assert error.count("\n") == 1
    assert not Path("a").exists()


def test_defaults_that_a_run_has_recorded_are_no_options_of_another_strategy(capsys):
    words = ("--strategy", "local", "--patience", "5", "--budget", "4")
    assert searched(*words, "--out", "a") == 0
    assert main(["--out", "a", "--resume", "--budget", "6"]) == 0
    assert main(["--config", "a/config.yaml", "--out", "b"]) == 0
    assert json.loads(Path("a/best.json").read_text()) == json.loads(Path("b/best.json").read_text())
