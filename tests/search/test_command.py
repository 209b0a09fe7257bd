"""The command as a user gives it, on tiny networks."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from pyarrow import parquet

import wrcor_ext
from wrcor_ext import data, scoring, spaces
from wrcor_ext.errors import BackendError
from wrcor_ext.ops import native
from wrcor_ext.search import main
from wrcor_ext.search.journal import Journal

ROOT = Path(wrcor_ext.__file__).parents[1]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Relative paths, `runs/` among them, belong into the test's own folder."""
    monkeypatch.chdir(tmp_path)


def fingerprint(folder):
    journal = Journal(Path(folder) / "trials.sqlite")
    try:
        return journal.fingerprint()
    finally:
        journal.close()


def started(words, **streams):
    """The command in a process of its own, in a group of its own."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "wrcor_ext.search", *words]
    return subprocess.Popen(command, env=environ, text=True, start_new_session=True, **streams)


def finished_trials(folder):
    """How many trials are committed, read from outside while the search runs."""
    if not (Path(folder) / "trials.sqlite").exists():
        return 0
    import sqlite3

    db = sqlite3.connect(f"file:{folder}/trials.sqlite?mode=ro", uri=True)
    try:
        return db.execute("SELECT count(*) FROM trials").fetchone()[0]
    except sqlite3.OperationalError:  # not created yet
        return 0
    finally:
        db.close()


def wait_for_trials(process, folder, count):
    deadline = time.monotonic() + 120
    while finished_trials(folder) < count:
        assert process.poll() is None, "the search ended before it could be stopped"
        assert time.monotonic() < deadline, "the search does not get on"
        time.sleep(0.002)


def test_a_search_writes_what_it_found(tiny, capsys):
    assert main([*tiny, "--budget", "14", "--proxies", "wrcor", "naswot", "--out", "a"]) == 0
    out = capsys.readouterr().out
    table = parquet.read_table("a/trials.parquet").to_pylist()
    best = json.loads(Path("a/best.json").read_text())
    scored = [row for row in table if row["status"] == "ok"]
    assert [row["trial"] for row in table] == list(range(14))
    assert best["scores"]["wrcor"] == max(row["wrcor"] for row in scored)
    assert table[best["trial"]]["architecture"] == best["architecture"]

    # Independently of the search: the same number from the library.
    space = spaces.get("nasbench201", stem_width=4, cells_per_stage=1)
    batch = data.load("noise", batch_size=6, image_size=8, seed=0)
    arch = space.parse(best["architecture"])
    model = space.build(arch, num_classes=batch.num_classes, seed=0)
    scores = wrcor_ext.score(model, batch.images, batch.labels, proxies=["wrcor", "naswot"], tail="auto")
    assert best["scores"] == {name: scores[name].value for name in ("wrcor", "naswot")}
    assert best["cost"]["params"] == sum(parameter.numel() for parameter in model.parameters())

    for shown in (
        "best 5 by wrcor",
        best["architecture"],
        "FLOPs",
        "parameters",
        "14 trials",
        "written to a: config.yaml",
    ):
        assert shown in out


def test_the_summary_as_json(tiny, capsys):
    assert main([*tiny, "--budget", "8", "--out", "a", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["trials"] == 8
    assert facts["fingerprint"] == fingerprint("a")
    assert facts["best"][0] == json.loads(Path("a/best.json").read_text())
    assert set(facts["files"]) < {path.name for path in Path("a").iterdir()}
    assert 0 < facts["bookkeeping"] < 1


@pytest.mark.parametrize("strategy", ["random", "evolution"])
def test_the_seed_decides_the_run(tiny, by, strategy):
    for folder, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main([*tiny, *by(strategy), "--budget", "10", "--seed", seed, "--out", folder]) == 0
    assert fingerprint("a") == fingerprint("b") != fingerprint("c")


def test_yaml_gives_the_run_that_flags_give(tiny, by):
    assert main([*tiny, *by("evolution"), "--budget", "10", "--no-augment", "--out", "flags"]) == 0
    options = {
        "stem_width": 4,
        "cells_per_stage": 1,
        "image_size": 8,
        "batch_size": 6,
        "dataset": "noise",
        "population_size": 6,
        "tournament_size": 3,
        "group": 1,
        "workers": 1,
        "budget": 10,
        "augment": False,
        "out": "yaml",
    }
    Path("options.yaml").write_text(yaml.safe_dump(options))
    assert main(["--config", "options.yaml"]) == 0
    assert main(["--config", "flags/config.yaml", "--out", "saved"]) == 0
    assert fingerprint("flags") == fingerprint("yaml") == fingerprint("saved")
    assert Path("flags/config.yaml").read_text() == Path("yaml/config.yaml").read_text()


@pytest.mark.parametrize("strategy", ["random", "evolution"])
def test_the_result_is_the_same_whatever_the_number_of_workers(tiny, by, strategy):
    words = [*tiny, *by(strategy), "--group", "4", "--budget", "14"]
    assert main([*words, "--out", "one"]) == 0
    assert main([*words, "--workers", "2", "--timeout", "60", "--out", "two"]) == 0
    assert main([*words, "--workers", "2", "--budget", "6", "--out", "resumed"]) == 0
    assert main([*words, "--workers", "3", "--out", "resumed", "--resume"]) == 0
    assert fingerprint("one") == fingerprint("two") == fingerprint("resumed")


def test_a_longer_budget_on_resume_equals_the_long_run(tiny, by, capsys):
    assert main([*tiny, *by("evolution"), "--budget", "16", "--out", "long"]) == 0
    assert main([*tiny, *by("evolution"), "--budget", "7", "--out", "short"]) == 0
    # The options of the run need not be repeated.
    assert main(["--out", "short", "--resume", "--budget", "16"]) == 0
    assert fingerprint("short") == fingerprint("long")
    assert "resuming short after trial 6" in capsys.readouterr().err
    assert len(parquet.read_table("short/trials.parquet")) == 16


def test_resuming_a_finished_run_does_nothing_and_says_so(tiny, capsys):
    assert main([*tiny, "--budget", "6", "--out", "a"]) == 0
    before = {path.name: path.read_bytes() for path in Path("a").iterdir() if path.suffix != ".sqlite"}
    (Path("a") / "report.html").unlink()  # as if killed between the last trial and the exports
    capsys.readouterr()
    assert main([*tiny, "--budget", "6", "--out", "a", "--resume"]) == 0
    assert "a is complete with 6 trials: nothing left to do" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in Path("a").iterdir() if path.suffix != ".sqlite"} == before


def test_without_a_folder_runs_never_overwrite_each_other(tiny, capsys):
    for _ in range(2):
        assert main([*tiny, "--budget", "5"]) == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == [
        "nasbench201-evolution-wrcor-1",
        "nasbench201-evolution-wrcor-2",
    ]
    assert main([*tiny, "--budget", "9", "--resume"]) == 0
    assert "resuming runs/nasbench201-evolution-wrcor-2 after trial 4" in capsys.readouterr().err
    assert main([*tiny, "--seed", "8", "--budget", "5", "--resume"]) == 0  # nothing to resume: begins
    assert len(list(Path("runs").iterdir())) == 3


def test_killed_at_random_moments_it_ends_with_the_identical_journal(tiny, by):
    budget = 60
    options = [*tiny, *by("evolution"), "--budget", str(budget), "--group", "4", "--workers", "2"]
    assert main([*options, "--out", "whole"]) == 0
    generator = random.Random()
    kills = 0
    while kills < 3:
        before = finished_trials("killed")
        process = started(
            [*options, "--out", "killed", "--resume"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        try:
            # The first one as early as it gets: while the folder is being made.
            wait_for_trials(process, "killed", 0 if kills == 0 else before + generator.randint(1, 15))
            time.sleep(generator.uniform(0, 0.05))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        kills += 1
    assert finished_trials("killed") < budget
    assert main([*options, "--out", "killed", "--resume"]) == 0
    assert fingerprint("killed") == fingerprint("whole")
    for name in ("best.json", "config.yaml"):
        assert (Path("killed") / name).read_bytes() == (Path("whole") / name).read_bytes()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_cleanly_and_resuming_goes_on_to_the_same_result(tiny, number, code):
    options = [*tiny, "--strategy", "random", "--budget", "100000", "--out", "a"]
    process = started(options, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        wait_for_trials(process, "a", 3)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert process.returncode == code
    assert "Traceback" not in err
    done = finished_trials("a")
    assert f"stopped after {done} of 100000 trials; to go on: python -m wrcor_ext.search --out a --resume" in err
    assert "best" in out
    assert len(parquet.read_table("a/trials.parquet")) == done
    assert Path("a/report.html").exists()

    total = str(done + 4)
    assert main([*tiny, "--strategy", "random", "--budget", total, "--out", "a", "--resume"]) == 0
    assert main([*tiny, "--strategy", "random", "--budget", total, "--out", "whole"]) == 0
    assert fingerprint("a") == fingerprint("whole")


@pytest.mark.parametrize("entry", ["wrcor_ext.search", "wrcor_ext.cli"])
def test_ctrl_c_while_the_command_is_imported_is_one_line(entry):
    script = """
import runpy, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "wrcor_ext.search.config":
            raise KeyboardInterrupt

import wrcor_ext
sys.meta_path.insert(0, Interrupting())
if sys.argv[1] == "wrcor_ext.cli":
    from wrcor_ext.cli import main
    sys.exit(main(["search"]))
sys.argv = sys.argv[1:2]
runpy.run_module("wrcor_ext.search", run_name="__main__", alter_sys=True)
"""
    command = [sys.executable, "-c", script, entry]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_an_unknown_attribute_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'wrcor_ext.search' has no attribute 'Studio'"):
        wrcor_ext.search.Studio  # noqa: B018


def test_a_second_process_on_the_folder_is_refused(tiny, capsys):
    options = [*tiny, "--strategy", "random", "--budget", "100000", "--out", "a"]
    process = started(options, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_for_trials(process, "a", 1)
        assert main([*options, "--resume"]) == 2
        assert f"error: run folder a is in use by another process (id {process.pid})" in capsys.readouterr().err
        assert process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tail", "0"], "--tail: expected a whole number of at least 1"),
        (["--budget", "-3"], "--budget: expected a whole number of at least 1, not -3"),
        (["--strategy", "annealing"], "unknown strategy 'annealing'"),
        (["--space", "darts"], "unknown space 'darts'"),
        (["--proxies", "gradnorm"], "unknown proxy or vote 'gradnorm'"),
        (["--dataset", "imagenet"], "unknown data 'imagenet'"),
        (["--dataset", "folder:missing"], "missing"),
        (["--dataset", "npz:missing.npz"], "there is no file missing.npz"),
        (["--image-size", "7"], "7"),
        (["--space", "nasbench101"], "space 'nasbench101' has no option 'cells_per_stage'"),
        (["--batch-size", "1"], "--batch-size: expected a whole number from 2"),
        (["--stem-width", "100000000"], "--stem-width: expected a whole number from 1 to 2048"),
        (["--cells-per-stage", "100000000"], "--cells-per-stage: expected a whole number from 1 to 100"),
        (["--image-size", "100000000"], "--image-size: expected a whole number from 1 to 4096"),
        (["--threads", "1000000"], "--threads: expected a whole number from 1 to 1024"),
        (["--population-size", str(10**30)], "--population-size: expected a whole number from 1 to 1000000"),
        (["--config", "broken.yaml"], "broken.yaml is not valid YAML"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--space", "nasbench201", "mobilenetv2"], "unrecognized arguments: mobilenetv2"),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing_behind(words, sentence, tiny, capsys):
    Path("broken.yaml").write_text("budget: [3")
    assert main([*tiny, *words, "--out", "a"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["broken.yaml"]


@pytest.mark.parametrize(
    "words", [["--out", "NAME"], ["--out", "NAME", "--resume"], ["show", "NAME"], ["export", "NAME"]]
)
def test_a_name_that_no_file_can_have_gets_one_sentence(words, capsys):
    name = "a" * 300
    assert main([name if word == "NAME" else word for word in words]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {name}")
    assert err.endswith(": File name too long\n")
    assert err.count("\n") == 1
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("word", "hint"), [("shwo", "did you mean show? known are"), ("exprot", "did you mean export?"), ("7", "known are")]
)
def test_a_first_word_that_is_no_command_is_refused(word, hint, capsys):
    assert main([word, "a"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: unknown command '{word}': {hint}")
    assert "show, compare, merge, export, and options of a search, which begin with --" in err


@pytest.mark.parametrize(
    ("required", "sentence"),
    [
        ("foo", "error: WRCOR_EXT_REQUIRE must be 'native' or 'cuda', not 'foo'."),
        ("native", "error: WRCOR_EXT_REQUIRE=native, but not built"),
    ],
)
def test_a_missing_backend_leaves_nothing_behind(required, sentence, tiny, capsys, monkeypatch):
    monkeypatch.setenv("WRCOR_EXT_REQUIRE", required)
    monkeypatch.setattr("wrcor_ext.ops.native._state", native._State(None, "not built"))
    assert main([*tiny, "--out", "a"]) == 2
    assert capsys.readouterr().err.startswith(sentence)
    assert not list(Path().iterdir())


def test_a_run_that_failed_in_its_first_trial_is_begun_anew(tiny, capsys, monkeypatch):
    def refuse(*args, **kwargs):
        raise BackendError("no library")

    with monkeypatch.context() as patch:
        patch.setattr("wrcor_ext.search.evaluator.measure", refuse)
        assert main([*tiny, "--budget", "3", "--out", "a"]) == 2
    assert capsys.readouterr().err.endswith("error: no library\n")
    assert main([*tiny, "--budget", "3", "--seed", "2", "--out", "a"]) == 0
    assert main([*tiny, "--budget", "3", "--seed", "2", "--out", "b"]) == 0
    assert fingerprint("a") == fingerprint("b")
    assert Path("a/config.yaml").read_bytes() == Path("b/config.yaml").read_bytes()


def test_members_of_an_own_space_that_cannot_run_fail_alone(tiny, tmp_path, monkeypatch, capsys):
    Path("fickle.py").write_text(
        """
from torch import nn
from wrcor_ext import spaces

class Net(nn.Module):
    def __init__(self, width, trouble):
        super().__init__()
        assert trouble != "making", "cannot be"
        self.trouble = trouble
        self.conv, self.relu = nn.Conv2d(3, width, 3), nn.ReLU()
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        assert self.trouble != "running", "does not run"
        return self.head(self.relu(self.conv(x)).mean((2, 3)))

space = spaces.from_models(Net, {"width": [2, 3], "trouble": ["none", "making", "running"]}, image_size=8)
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = ["--space", "fickle:space", *tiny[4:], "--strategy", "random", "--budget", "20", "--out", "a"]
    try:
        assert main(words) == 0
    finally:
        sys.modules.pop("fickle", None)
    reasons = {
        "making": "cannot be built: AssertionError: cannot be",
        "running": "AssertionError: does not run",
        "none": None,
    }
    rows = parquet.read_table("a/trials.parquet").to_pylist()
    seen = set()
    for row in rows:
        trouble = json.loads(row["architecture"])["trouble"]
        seen.add(trouble)
        assert (row["status"] == "ok") == (trouble == "none")
        assert (row["flops"] is None) == (row["params"] is None) == (trouble != "none")
        assert row["reason"] is None if trouble == "none" else reasons[trouble] in row["reason"]
    assert seen == set(reasons)


def test_an_out_path_below_a_file_gets_one_sentence(tiny, capsys):
    Path("file").write_text("mine")
    assert main([*tiny, "--out", "file/run"]) == 2
    assert capsys.readouterr().err == "error: file is not a folder: choose another --out\n"


def test_another_configuration_in_the_folder_is_refused_by_name(tiny, capsys):
    assert main([*tiny, "--budget", "5", "--out", "a"]) == 0
    before = fingerprint("a")
    for words in (["--seed", "4"], ["--seed", "4", "--resume"]):
        assert main([*tiny, "--budget", "5", "--out", "a", *words]) == 2
        assert "another configuration (seed is 0 there and 4 here)" in capsys.readouterr().err
    assert fingerprint("a") == before


def test_scores_of_another_run_cost_nothing_and_are_counted(tiny, capsys, monkeypatch):
    words = [*tiny, "--budget", "12", "--proxies", "wrcor", "naswot", "--cache", "known", "--json"]
    assert main([*words, "--out", "a"]) == 0
    first = json.loads(capsys.readouterr().out)
    monkeypatch.setattr("wrcor_ext.search.evaluator.measure", None)  # nothing may be scored
    assert main([*words, "--out", "b"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["fingerprint"] == first["fingerprint"]
    assert first["cached"] == 0
    assert facts["cached"] + facts["seen_before"] == 12
    rows = parquet.read_table("b/trials.parquet").to_pylist()
    assert [row["cached"] for row in rows] == [row["duplicate_of"] is None for row in rows]
    assert "<dt>from the cache</dt><dd>12</dd>".replace("12", str(facts["cached"])) in Path("b/report.html").read_text()
    assert main(["--out", "b", "--resume"]) == 0
    assert f"12 trials, {facts['cached']} from the cache" in capsys.readouterr().out


def test_a_cache_that_cannot_be_used_is_one_note(tiny, capsys):
    Path("file").touch()
    assert main([*tiny, "--budget", "4", "--cache", "file/below", "--out", "a"]) == 0
    assert main([*tiny, "--budget", "4", "--out", "b"]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note:")]
    assert notes == ["note: the score cache file/below/scores.sqlite is not used: Not a directory"]
    assert fingerprint("a") == fingerprint("b")


def test_without_dedup_every_trial_has_its_own_score(tiny, by):
    words = [*tiny, *by("evolution"), "--budget", "40", "--no-dedup"]
    assert main([*words, "--out", "a"]) == 0
    rows = parquet.read_table("a/trials.parquet").to_pylist()
    assert len({row["key"] for row in rows}) < len(rows)
    assert all(row["seconds"] > 0 and row["duplicate_of"] is None for row in rows)
    by_text = {}
    assert all(by_text.setdefault(row["architecture"], row["wrcor"]) == row["wrcor"] for row in rows)
    assert main([*words, "--dedup", "--out", "a", "--resume"]) == 2  # another run


def test_a_run_without_any_score_says_why_and_fails(tiny, capsys, monkeypatch):
    def broken(*args, **kwargs):
        raise AssertionError("out of memory")

    monkeypatch.setattr("wrcor_ext.search.evaluator.measure", broken)
    assert main([*tiny, "--budget", "4", "--out", "a"]) == 2
    captured = capsys.readouterr()
    assert "none of 4 candidates could be scored, most often because: AssertionError: out of memory" in captured.err
    assert parquet.read_table("a/trials.parquet")["status"].to_pylist() == ["failed"] * 4


def test_one_thread_and_the_option_agree(tiny):
    assert main([*tiny, "--budget", "4", "--threads", "1", "--out", "a"]) == 0
    assert torch.get_num_threads() == 1


def test_all_scores_are_finite_or_missing(tiny):
    assert (
        main([*tiny, "--strategy", "random", "--budget", "30", "--proxies", "wrcor", "acor", "naswot", "--out", "a"])
        == 0
    )
    for row in parquet.read_table("a/trials.parquet").to_pylist():
        for name in ("wrcor", "acor", "naswot"):
            assert row[name] is None or math.isfinite(row[name])
        assert (row["wrcor"] is None) == (row["status"] != "ok")


def test_a_second_ctrl_c_drops_the_running_trial_only(tiny, capsys, monkeypatch):
    calls = 0
    measure = scoring.measure

    def interrupted(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return measure(*args, **kwargs)

    options = [*tiny, "--strategy", "random", "--budget", "9"]
    with monkeypatch.context() as patch:
        patch.setattr("wrcor_ext.search.evaluator.measure", interrupted)
        assert main([*options, "--out", "a"]) == 130
    assert "stopped after" in capsys.readouterr().err
    assert 3 <= len(parquet.read_table("a/trials.parquet")) < 9
    assert main([*options, "--out", "a", "--resume"]) == 0
    assert main([*options, "--out", "whole"]) == 0
    assert fingerprint("a") == fingerprint("whole")
