"""The run folder: whose it is, who may go on with it, and what is written there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace

import pytest
from helpers.trials import trial
from pyarrow import parquet

from wrcor_ext.errors import InputError, WrcorError
from wrcor_ext.search import folders
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.study import Study, recorded_config

CONFIG = SearchConfig(proxies=["wrcor", "naswot"], budget=5, seed=3)
ENVIRONMENT = {"torch": "2.14", "batch_sha256": "0123456789abcdef"}


def opened(folder, config=CONFIG, environment=ENVIRONMENT, resume=True):
    return Study(folder, config, environment, resume=resume)


@pytest.fixture
def folder(tmp_path):
    """A folder that holds a run of three trials."""
    path = tmp_path / "deep" / "run"
    with opened(path, resume=False) as study:
        for one in [trial(0, 1.0), trial(1, None), trial(2, 5.0)]:
            study.journal.append(one)
    return path


def test_a_run_is_gone_on_with(folder):
    with opened(folder) as study:
        assert study.resumed == 3
        assert study.notes == []
        study.journal.append(trial(3))
    assert recorded_config(folder) == CONFIG.saved()


def test_without_resume_a_run_is_left_alone(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match="already holds a run: add --resume or choose another --out"):
        opened(folder, resume=False)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after.pop(".lock") == before.pop(".lock")
    assert after == before


@pytest.mark.parametrize(("name", "value"), [("seed", 4), ("batch_size", 32), ("proxies", ("wrcor",)), ("tail", None)])
@pytest.mark.parametrize("resume", [True, False])
def test_another_configuration_is_refused_by_the_name_of_the_option(folder, name, value, resume):
    with pytest.raises(InputError, match=f"holds a run of another configuration \\({name} is .* there and .* here"):
        opened(folder, replace(CONFIG, **{name: value}), resume=resume)
    assert recorded_config(folder) == CONFIG.saved()


def test_other_images_are_refused(folder):
    with pytest.raises(InputError, match=r"images of 'photos' are not those of the run .*0123456789ab.* there, fedc"):
        opened(folder, environment={**ENVIRONMENT, "batch_sha256": "fedcba9876543210"})


def test_the_budget_may_grow_but_not_fall_below_what_is_there(folder):
    with opened(folder, replace(CONFIG, budget=50)):
        pass
    assert recorded_config(folder)["budget"] == 50
    assert "budget: 50" in (folder / "config.yaml").read_text()
    with pytest.raises(InputError, match="holds 3 trials, more than --budget 2"):
        opened(folder, replace(CONFIG, budget=2))


def test_a_run_without_any_trial_is_begun_anew(tmp_path):
    with opened(tmp_path, resume=False):
        pass
    config, environment = replace(CONFIG, seed=4), {**ENVIRONMENT, "batch_sha256": "fedcba9876543210"}
    with opened(tmp_path, config, environment, resume=False) as study:
        assert study.resumed == 0
        assert study.notes == []
        assert study.journal.record() == {"config": config.saved(), "environment": environment}
    assert "seed: 4" in (tmp_path / "config.yaml").read_text()


def test_another_environment_is_noted(folder):
    with opened(folder, environment={**ENVIRONMENT, "torch": "2.15"}) as study:
        assert study.notes == ["torch was 2.14 and is 2.15 now"]


def test_a_folder_in_use_is_refused(folder):
    with opened(folder), pytest.raises(InputError, match="in use by another process"):
        opened(folder)
    with opened(folder):
        pass


@pytest.mark.parametrize("name", ["config.yaml", "best.json", "trials.parquet", "report.html"])
def test_files_of_something_else_are_not_overwritten(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"holds {name} but no trials.sqlite"):
        opened(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_other_files_do_not_matter(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with opened(tmp_path) as study:
        assert study.resumed == 0


def test_the_trials_are_not_read_for_the_best_again_without_new_ones(folder, monkeypatch):
    read, once = [], Objective.leaders

    def counted(self, scores, count):
        read.append(count)
        return once(self, scores, count)

    monkeypatch.setattr(Objective, "leaders", counted)
    with opened(folder) as study:
        assert [one.trial.trial for one in study.leaders()] == [2, 0]
        assert study.standing().best.trial == 2
        study.export()
        assert len(read) == 1
        study.journal.append(trial(3, 9.0))
        assert [one.trial.trial for one in study.leaders()] == [3, 2, 0]
        assert study.standing().best.trial == 3


def test_what_is_exported(folder):
    with opened(folder) as study:
        study.journal.append(trial(2, 5.0).repeated(3, "twin", trial(0).cost))
        written = study.export()
    assert {path.name for path in written} == {
        "config.yaml", "trials.sqlite", "trials.parquet", "best.json", "report.html",
    }  # fmt: skip
    assert {path.name for path in folder.iterdir()} == {path.name for path in written} | {".lock"}
    table = parquet.read_table(folder / "trials.parquet")
    assert table.column_names == [
        "trial", "architecture", "key", "status", "wrcor", "naswot", "flops", "params", "memory", "layers",
        "latency", "seconds", "duplicate_of", "cached", "reason",
    ]  # fmt: skip
    assert table["wrcor"].to_pylist() == [1.0, None, 5.0, 5.0]
    assert table["status"].to_pylist() == ["ok", "failed", "ok", "ok"]
    assert table["duplicate_of"].to_pylist() == [None, None, None, 2]
    assert table["flops"].to_pylist() == [10, 10, 10, 10]
    assert json.loads((folder / "best.json").read_text()) == {
        "architecture": "arch 2",
        "scores": {"wrcor": 5.0, "naswot": 0.1},
        "cost": {"flops": 10, "params": 20, "memory": 30, "layers": 4, "latency": 1.5},
        "trial": 2,
    }
    assert "arch 2" in (folder / "report.html").read_text()


def test_without_any_score_there_is_no_best(tmp_path):
    with opened(tmp_path) as study:
        study.journal.append(trial(0, None))
        study.export()
    assert not (tmp_path / "best.json").exists()
    assert "No candidate has a score" in (tmp_path / "report.html").read_text()


def test_a_path_that_cannot_be_a_folder_gets_one_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=f"{tmp_path / 'file'} is not a folder: choose another --out"):
            opened(path)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 192 KiB, where the system lets us mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", path], check=False).returncode != 0:
        pytest.skip("the system does not let us mount a small disk")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def test_a_full_disk_loses_no_finished_trial(small_disk):
    folder, config = small_disk / "run", replace(CONFIG, budget=1000)

    def fill(study):
        for number in range(1000):
            study.journal.append(trial(number, architecture="x" * 1000))

    with opened(folder, config) as study:
        with pytest.raises(WrcorError, match=r"trials.sqlite: database or disk is full; finished trials are kept"):
            fill(study)
        done = study.journal.count()
        with pytest.raises(WrcorError, match="finished trials are kept"):
            study.export()
    assert not list(folder.glob(".*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    with opened(folder, config) as study:
        assert study.resumed == done > 0
        study.journal.append(trial(done))
        study.export()


def test_a_disk_that_is_full_from_the_start_holds_no_journal(tmp_path, monkeypatch):
    def full(path, content):
        raise WrcorError(f"cannot write {path}: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("wrcor_ext.search.study.write_atomically", full)
        with pytest.raises(WrcorError, match="No space left"):
            opened(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    with opened(tmp_path, resume=False) as study:
        study.journal.append(trial(0))


def test_what_could_not_be_counted_is_exported_as_nothing(tmp_path):
    with opened(tmp_path) as study:
        study.journal.append(replace(trial(0), cost=None))
        study.export()
    assert json.loads((tmp_path / "best.json").read_text())["cost"] is None
    assert parquet.read_table(tmp_path / "trials.parquet")["flops"].to_pylist() == [None]
    assert "Score against FLOPs" not in (tmp_path / "report.html").read_text()


def test_the_report_leaves_out_what_the_space_decides_by_itself(tmp_path):
    config = replace(CONFIG, stem_width=8)
    with opened(tmp_path, config) as study:
        study.export()
    page = (tmp_path / "report.html").read_text()
    assert "<th>stem_width</th><td>8</td>" in page
    assert "<th>data_root</th><td>none</td>" in page
    for name in ("cells_per_stage", "stacks", "resolution", "batch_norm"):
        assert name not in page


def test_a_read_only_disk_gets_one_sentence(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(WrcorError, match="Read-only file system"):
        opened(small_disk / "run")


def test_runs_without_a_folder_are_numbered_and_found_again(tmp_path):
    assert folders.latest_folder(CONFIG, tmp_path) is None
    made = []
    for config in (CONFIG, replace(CONFIG, seed=4), CONFIG):
        folder = folders.new_folder(config, tmp_path)
        made.append(folder)
        with opened(folder, config):
            pass
    assert [folder.name for folder in made] == [f"nasbench201-evolution-wrcor-{number}" for number in (1, 2, 3)]
    (tmp_path / "nasbench201-evolution-wrcor-9").mkdir()  # killed before it was recorded
    assert folders.latest_folder(CONFIG, tmp_path) == made[2]
    assert folders.latest_folder(replace(CONFIG, budget=99), tmp_path) == made[2]
    assert folders.latest_folder(replace(CONFIG, seed=4), tmp_path) == made[1]
    assert folders.latest_folder(replace(CONFIG, seed=5), tmp_path) is None
    assert folders.new_folder(CONFIG, tmp_path).name == "nasbench201-evolution-wrcor-10"


def test_the_name_of_a_folder_has_no_character_that_needs_quotes(tmp_path):
    config = SearchConfig(strategy="optuna:tpe", proxies=["vote:rank(snip,-jacob_cor)"])
    assert folders.new_folder(config, tmp_path).name == "nasbench201-optuna-tpe-vote-rank-snip-jacob_cor-1"
