"""Parts of a search, and the run that they are joined to."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as draw

from wrcor_ext.search import main
from wrcor_ext.search.files import FolderLock
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.shards import Shard


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def searched(words, *more):
    assert main([*words, *map(str, more)]) == 0


def sharded(words, *more, count=3):
    """Runs the shards of a search, and returns their folders."""
    folders = [f"shard-{number}" for number in range(1, count + 1)]
    for number, folder in enumerate(folders, start=1):
        searched(words, *more, "--shard", f"{number}/{count}", "--out", folder)
    return folders


def journal_of(folder):
    return Journal(Path(folder) / "trials.sqlite", read_only=True)


def fingerprint(folder):
    journal = journal_of(folder)
    try:
        return journal.fingerprint()
    finally:
        journal.close()


def trials(folder):
    journal = journal_of(folder)
    try:
        return list(journal.trials())
    finally:
        journal.close()


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@given(draw.integers(1, 40), draw.integers(0, 200))
def test_shards_divide_the_trials(count, total):
    shards = [Shard(number, count) for number in range(1, count + 1)]
    numbers = [shard.number_of(own) for shard in shards for own in range(shard.share(total))]
    assert sorted(numbers) == list(range(total))
    assert all(shard.number_of(own) % count == shard.number - 1 for shard in shards for own in range(3))


def test_shares_of_a_budget_beyond_all_counting_are_known():
    assert [Shard(number, 3).share(10**20) for number in (1, 2, 3)] == [10**20 // 3 + 1, 10**20 // 3, 10**20 // 3]


def test_the_seeds_of_shards_are_their_own_and_stay_what_they_are():
    seeds = [Shard(number, 4).seed(0) for number in (1, 2, 3, 4)]
    assert len({0, *seeds, Shard(1, 4).seed(1)}) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seeds[:2] == [Shard(1, 2).seed(0), Shard(2, 2).seed(0)]
    # A shard that is resumed by another release goes on with the same seed.
    assert seeds[:2] == [4334430513956379144, 2440950710608614359]


@pytest.mark.parametrize("options", [["--strategy", "random"], ["--strategy", "exhaustive", "--no-dedup"]])
def test_shards_that_share_the_proposals_make_the_very_run(tiny, options, capsys):
    words = [*tiny, *options, "--group", "3", "--budget", "20"]
    searched(words, "--out", "whole")
    searched(words, "--budget", "8", "--shard", "2/3", "--out", "shard-2")
    folders = sharded(words, "--resume")
    assert "shard 2/3: 7 of 20 trials, those whose number modulo 3 is 1" in capsys.readouterr().err
    before = [contents(folder) for folder in folders]
    assert main(["merge", "joined", *reversed(folders)]) == 0
    assert [contents(folder) for folder in folders] == before
    assert fingerprint("joined") == fingerprint("whole")
    assert {path.name for path in Path("joined").iterdir()} == {path.name for path in Path("whole").iterdir()}
    assert Path("joined/best.json").read_bytes() == Path("whole/best.json").read_bytes()
    assert Path("joined/config.yaml").read_bytes() == Path("whole/config.yaml").read_bytes()
    # It goes on like the whole one, too.
    for folder in ("joined", "whole"):
        searched(["--out", folder, "--resume", "--budget", "25"])
    assert fingerprint("joined") == fingerprint("whole")


SMALL_SPACE = """
from torch import nn
from wrcor_ext import spaces

def net(width):
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), pooled, nn.Linear(width, 10))

space = spaces.from_models(net, {"width": [2, 3, 4, 5, 6]}, image_size=8)
"""


def test_shards_of_a_space_with_fewer_architectures_than_the_budget_are_complete(tiny, monkeypatch):
    Path("five.py").write_text(SMALL_SPACE)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    words = ["--space", "five:space", "--strategy", "exhaustive", *tiny[4:], "--budget", "9"]
    searched(words, "--out", "whole")
    assert main(["merge", "joined", *sharded(words, count=4)]) == 0
    assert [trial.architecture for trial in trials("joined")] == [trial.architecture for trial in trials("whole")]
    assert len(trials("joined")) == 5
    assert fingerprint("joined") == fingerprint("whole")


def test_shards_of_a_strategy_that_learns_are_searches_of_their_own(tiny, capsys):
    words = [*tiny, "--budget", "31"]
    folders = sharded(words)
    assert "shard 1/3: a search of its own for 11 of 31 trials" in capsys.readouterr().err
    parts = [trials(folder) for folder in folders]
    assert [len(part) for part in parts] == [11, 10, 10]
    assert len({tuple(trial.architecture for trial in part[:6]) for part in parts}) == 3
    assert main(["merge", "joined", *folders]) == 0
    joined, first = trials("joined"), {}
    assert [trial.trial for trial in joined] == list(range(31))
    for trial in joined:
        own = parts[trial.trial % 3][trial.trial // 3]
        assert (trial.architecture, trial.key, trial.cost) == (own.architecture, own.key, own.cost)
        earlier = first.setdefault(trial.key, trial)
        assert trial.duplicate_of == (None if earlier is trial else earlier.trial)
        scorer = parts[earlier.trial % 3][earlier.trial // 3]
        assert trial.evaluation.scores == scorer.evaluation.scores
    # One that two shards scored is among them.
    assert any(t.duplicate_of is not None and parts[t.trial % 3][t.trial // 3].duplicate_of is None for t in joined)

    # Complete as it is, it can be refined, but not go on.
    capsys.readouterr()
    assert main(["--out", "joined", "--resume", "--refine", "1"]) == 0
    assert "joined is complete with 31 trials" in capsys.readouterr().err
    assert json.loads(Path("joined/best.json").read_text())["refined"]["repeats"] == 1
    assert main(["--out", "joined", "--resume", "--budget", "40"]) == 2
    assert "joined was merged from 3 of 3 shards and cannot go on" in capsys.readouterr().err


def test_other_commands_take_a_joined_run(tiny, capsys):
    folders = sharded([*tiny, "--strategy", "random", "--budget", "8"], count=2)
    capsys.readouterr()
    assert main(["merge", "new/joined", *folders, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["trials"], facts["state"], facts["out"]) == (8, "complete", "new/joined")
    assert main(["show", "new/joined"]) == 0
    assert main(["compare", "new/joined", *folders]) == 0


def test_what_is_there_of_unfinished_shards_can_be_joined(tiny, capsys):
    words = [*tiny, "--strategy", "random", "--budget", "12"]
    searched(words, "--shard", "1/4", "--out", "a")
    searched([*words, "--budget", "8"], "--shard", "4/4", "--out", "b")
    raise_budget("b", 12)
    capsys.readouterr()
    assert main(["merge", "joined", "a", "b"]) == 2
    said = capsys.readouterr().err
    assert "2 of 4 shards are missing (2/4, 3/4) and 1 are unfinished (b has 2 of 3 trials)" in said
    assert main(["merge", "joined", "a", "b", "--partial"]) == 0
    assert "joined: stopped, 5 of 12 trials" in capsys.readouterr().out
    assert [trial.trial for trial in trials("joined")] == [0, 1, 2, 3, 4]
    expected = sorted([*enumerate(trials("a")), *[(n + 0.5, t) for n, t in enumerate(trials("b"))]], key=lambda x: x[0])
    assert [t.architecture for t in trials("joined")] == [trial.architecture for _, trial in expected]
    assert main(["--out", "joined", "--resume"]) == 2
    assert "joined was merged from 2 of 4 shards and cannot go on" in capsys.readouterr().err


def raise_budget(folder, budget):
    """As if the run had been stopped."""
    change_config(folder, lambda config: config.update(budget=budget))


def change_config(folder, change):
    db = sqlite3.connect(Path(folder) / "trials.sqlite")
    config = json.loads(db.execute("SELECT value FROM record WHERE name = 'config'").fetchone()[0])
    change(config)
    db.execute("UPDATE record SET value = ? WHERE name = 'config'", (json.dumps(config),))
    db.commit()
    db.close()


def test_folders_that_are_no_shards_of_one_search_are_refused(tiny, capsys):
    words = [*tiny, "--strategy", "random", "--budget", "4"]
    a, b = sharded(words, count=2)
    searched(words, "--out", "whole")
    shutil.copytree(a, "twin")
    shutil.copytree(b, "seed")
    change_config("seed", lambda config: config.update(seed=7))
    shutil.copytree(b, "eighth")
    change_config("eighth", lambda config: config.update(shard="2/8"))
    shutil.copytree(b, "images")
    db = sqlite3.connect("images/trials.sqlite")
    db.execute("UPDATE record SET value = replace(value, 'batch_sha256\": \"', 'batch_sha256\": \"0')")
    db.commit()
    db.close()
    shutil.copytree(b, "forged")
    db = sqlite3.connect("forged/trials.sqlite")
    db.execute("UPDATE trials SET architecture = (SELECT architecture FROM trials WHERE trial = 0)")
    db.commit()
    db.close()
    Path("full").mkdir()
    Path("full/file").touch()
    before = sorted(Path().iterdir())
    for arguments, message in [
        (["out", a], "1 of 2 shards are missing (2/2): resume them first"),
        (["out", a, "nothing"], "there is no run in nothing"),
        (["out", a, "whole"], "the run in whole is no shard: it was made without --shard"),
        (["out", a, b, "twin"], f"{a} and twin are both shard 1/2"),
        (["out", a, "seed"], f"parts of different searches: seed is 0 in {a} and 7 in seed"),
        (["out", a, "eighth"], f"{a} is shard 1/2 and eighth is shard 2/8: they are parts of different searches"),
        (["out", a, "images"], f"the shards in {a} and images were scored on different images"),
        (["out", a, "forged"], "trial 3 of the shards is not"),
        ([a, a, b], f"{a} already exists: choose another OUT"),
        (["full", a, b], "full already exists: choose another OUT"),
        (["full/file", a, b], "full/file already exists: choose another OUT"),
    ]:
        capsys.readouterr()
        assert main(["merge", *arguments]) == 2, arguments
        said = capsys.readouterr().err
        assert message in said
        assert said.count("\n") == 1
    lock = FolderLock(Path(b))
    assert main(["merge", "out", a, b, "--partial"]) == 2
    assert "shard 2/2 is still running: shard-2 has 2 of 2 trials" in capsys.readouterr().err
    lock.close()
    assert sorted(Path().iterdir()) == before
    Path("out").mkdir()  # an empty folder will do
    assert main(["merge", "out", a, b]) == 0


@pytest.mark.parametrize("word", ["0/4", "5/4", "x", "1", "1/2/3", "-1/4", "1/0", "1/2000000", "one/two"])
def test_what_is_no_shard_is_refused_in_one_sentence(word, capsys):
    assert main([f"--shard={word}"]) == 2
    assert capsys.readouterr().err == (
        f"error: --shard: expected I/N with I from 1 to N, such as 2/8, or 'none' (the whole search), not {word!r}\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--budget", "4", "--shard", "5/8"], "--shard 5/8 has nothing to do: --budget 4 is less than a trial each"),
        (["--shard", "1/2", "--refine", "3"], "--refine 3 cannot be used with --shard: merge the shards, then refine"),
    ],
)
def test_a_shard_that_makes_no_sense_is_refused(tiny, words, message, capsys):
    assert main([*tiny, *words]) == 2
    assert message in capsys.readouterr().err
    assert list(Path().iterdir()) == []


def test_a_shard_is_part_of_what_a_run_is(tiny, capsys):
    words = [*tiny, "--strategy", "random", "--budget", "4"]
    searched(words, "--shard", "2/2")
    searched(words, "--shard", "02/2", "--resume")
    assert [path.name for path in Path("runs").iterdir()] == ["nasbench201-random-wrcor-shard2of2-1"]
    capsys.readouterr()
    assert main([*words, "--shard", "1/2", "--out", "runs/nasbench201-random-wrcor-shard2of2-1", "--resume"]) == 2
    assert "shard is '2/2' there and '1/2' here" in capsys.readouterr().err
