"""The command `wrcor score`: the ranking, its JSON, what is refused before anything is scored, and its name."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import wrcor_ext
from wrcor_ext import cli, comparison, data, proxies, score_command, spaces
from wrcor_ext.errors import BackendError
from wrcor_ext.ranking import Scored, ranked
from wrcor_ext.score_command import main
from wrcor_ext.scoring import score

ROOT = Path(wrcor_ext.__file__).parents[1]
CONV = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|"
NONE = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
TINY = ["--dataset", "noise", "--image-size", "8", "--batch-size", "6", "--threads", "1"]


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """A module of the user's; and `--threads` must not leak into other tests."""
    (tmp_path / "nets.py").write_text(
        """
from collections import OrderedDict
from torch import nn
from wrcor_ext import spaces

def net(width, num_classes):
    conv = nn.Conv2d(3, width, 3, padding=1)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes)
    return nn.Sequential(conv, nn.ReLU(), *head)

def small(num_classes):
    return net(4, num_classes)

space = spaces.from_models({"narrow": small}, image_size=12)

def large(num_classes):
    return net(16, num_classes)

def blocks(num_classes):
    first = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, 3, 3, padding=1), nn.Tanh())
    return nn.Sequential(OrderedDict(blocks=first, rest=net(4, num_classes)))

class Raises(nn.Module):
    def forward(self, x):
        raise KeyError("in\\nforward")

class Interrupts(nn.Module):
    def forward(self, x):
        raise KeyboardInterrupt

class Lazy(nn.Sequential):
    def __init__(self):
        super().__init__(nn.ReLU(), nn.Flatten(), nn.Linear(192, 10), nn.LazyLinear(10))

def unmakeable():
    raise OSError("no file")

def linear(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(192, num_classes))

made = []

def counted(num_classes):
    made.append(num_classes)
    return small(num_classes)
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
    sys.modules.pop("nets", None)


def ranking(capsys, *words):
    assert main([*words, *TINY, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_models_are_ranked_by_the_first_proxy(capsys):
    specs = ["nets:small", "nets:Raises", f"nasbench201:{NONE}", "nets:large", f"nasbench201:{CONV}"]
    found = ranking(capsys, *specs, "--proxies", "naswot", "wrcor")
    ok = [row for row in found["models"] if row["status"] == "ok"]
    assert [row["rank"] for row in found["models"]] == [1, 2, 3, None, None]
    assert {row["model"] for row in ok} == {"nets:small", "nets:large", f"nasbench201:{CONV}"}
    values = [row["scores"]["naswot"] for row in ok]
    assert values == sorted(values, reverse=True)
    degenerate, failed = found["models"][3:]
    assert (degenerate["model"], degenerate["status"]) == (f"nasbench201:{NONE}", "degenerate")
    assert degenerate["reason"].startswith("naswot degenerate: ")
    assert (failed["model"], failed["status"], failed["reason"]) == (
        "nets:Raises",
        "failed",
        "KeyError: 'in\\nforward'",
    )
    assert failed["scores"] == {"naswot": None, "wrcor": None}
    assert found["proxies"] == ["naswot", "wrcor"]


def test_scores_and_costs_are_those_of_the_library(capsys):
    found = ranking(capsys, f"nasbench201:{CONV}", "--seed", "3", "--tail", "4", "--proxies", "wrcor", "rcor")
    batch = data.load("noise", batch_size=6, seed=3, image_size=8)
    space = spaces.get("nasbench201")
    model = space.build(space.parse(CONV), num_classes=batch.num_classes, seed=3)
    scores = wrcor_ext.score(model, batch.images, batch.labels, proxies=["wrcor", "rcor"], tail=4, seed=3)
    (row,) = found["models"]
    assert row["scores"] == {name: scores[name].value for name in ("wrcor", "rcor")}
    cost = space.cost(space.parse(CONV), num_classes=batch.num_classes, image_size=8)
    assert row["cost"] == dataclasses.asdict(cost)
    assert row["seconds"] > 0
    assert found["batch_sha256"] == batch.sha256
    assert found["batch_shape"] == [6, 3, 8, 8]


def test_the_table_shows_all_and_the_reasons(capsys):
    assert main(["nets:Raises", "nets:small", f"nasbench201:{NONE}", *TINY]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {name: next(i for i, line in enumerate(lines) if name in line) for name in ("small", "none~0", "Raises")}
    assert rows["small"] < rows["none~0"] < rows["Raises"]
    assert lines[0].strip() == "3 models by wrcor"
    assert re.search(r"│ +1 │ nets:small +│ +-?\d+\.\d\d │ +6\.95 k │ +162 │ +\d\.\d\d │", lines[rows["small"]])
    assert "degenerate" in lines[rows["none~0"]]
    assert "failed" in lines[rows["Raises"]]
    assert "KeyError" in lines[rows["Raises"]]


def test_all_models_get_the_classes_of_the_images_or_those_asked_for(capsys):
    import nets

    ranking(capsys, "nets:counted")
    ranking(capsys, "nets:counted", "--num-classes", "12")
    assert nets.made == [10, 12]
    assert main(["nets:counted", *TINY, "--num-classes", "9"]) == 2
    assert capsys.readouterr().err == "error: --num-classes: 9 is less than the 10 classes of 'noise'\n"
    assert len(nets.made) == 2


def test_the_images_have_the_size_that_a_space_is_for(capsys):
    words = ["--dataset", "noise", "--batch-size", "4", "--threads", "1", "--json"]
    for specs, side in ((["nets:small"], 32), (["nets:space:narrow", "nets:small"], 12)):
        assert main([*specs, *words]) == 0
        assert json.loads(capsys.readouterr().out)["batch_shape"] == [4, 3, side, side]
    assert main(["nets:space:narrow", f"nasbench201:{CONV}", *words]) == 2
    message = "the models' spaces are for images of 12 and 32 pixels: give --image-size"
    assert capsys.readouterr().err == f"error: {message}\n"
    assert main(["nets:space:narrow", f"nasbench201:{CONV}", *TINY]) == 0


THREE = ["nets:small", "nets:large", f"nasbench201:{CONV}"]


def test_a_vote_ranks_and_shows_its_members(capsys):
    expression = "vote:rank(snip,-act_hamming)"
    found = ranking(capsys, *THREE, f"nasbench201:{NONE}", "nets:Raises", "--proxies", expression, "wrcor")
    by_model = {row["model"]: row for row in found["models"]}
    models = [row["scores"] for row in found["models"]]
    outcome = wrcor_ext.vote(expression, models)
    assert [row["rank"] for row in found["models"]] == list(outcome.ranks)
    assert outcome.ranks[-1] is None
    assert by_model[f"nasbench201:{NONE}"]["rank"] == 4
    assert "naswot degenerate" in by_model[f"nasbench201:{NONE}"]["reason"]
    name = "vote:rank(snip,-naswot)"
    assert found["proxies"] == [name, "wrcor"]
    assert [scores[name] for scores in models] == list(outcome.values)
    assert all(list(scores) == [name, "wrcor", "snip", "naswot"] for scores in models)
    assert by_model["nets:Raises"]["status"] == "failed"
    assert found["circles"] == {}


def test_a_vote_beside_a_proxy_does_not_rank(capsys):
    found = ranking(capsys, *THREE, "--proxies", "naswot", "vote:minmax(snip,-naswot)")
    values = [row["scores"]["naswot"] for row in found["models"]]
    assert values == sorted(values, reverse=True)
    voted = wrcor_ext.vote("vote:minmax(snip,-naswot)", [row["scores"] for row in found["models"]])
    assert [row["scores"]["vote:minmax(snip,-naswot)"] for row in found["models"]] == list(voted.values)


def test_a_circle_is_reported(capsys, monkeypatch):
    def circle(*_):
        nothing = {"wrcor": None, "snip": None, "naswot": None}
        ok = dict.fromkeys(nothing, "ok")
        rows = [(3.0, 1.0, 2.0), (2.0, 3.0, 1.0), (1.0, 2.0, 3.0)]
        return [
            Scored(f"m{i}", ok, dict(zip(nothing, row, strict=True)), nothing, 0.0, None) for i, row in enumerate(rows)
        ], False

    monkeypatch.setattr(score_command, "compare", circle)
    words = ["nets:small", "nets:large", *TINY, "--proxies", "vote:majority(wrcor,snip,naswot)"]
    assert main(words) == 0
    captured = capsys.readouterr()
    assert captured.err == (
        "vote:majority(wrcor,snip,naswot): m0, m1, m2 beat each other in a circle: ranked by wins minus losses\n"
    )
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["circles"] == {words[-1]: [["m0", "m1", "m2"]]}


def test_ctrl_c_may_leave_a_vote_without_a_choice(capsys):
    assert main(["nets:small", "nets:Interrupts", *TINY, "--proxies", "vote:rank(naswot)", "--json"]) == 130
    (row,) = json.loads(capsys.readouterr().out)["models"]
    assert (row["rank"], row["status"]) == (None, "degenerate")
    assert row["scores"]["naswot"] is not None


@pytest.mark.parametrize(("higher", "order"), [(True, ["b", "a"]), (False, ["a", "b"])])
def test_a_ranking_follows_the_direction_of_its_proxy(higher, order, monkeypatch):
    turned = dataclasses.replace(proxies.get("snip"), higher_is_better=higher)
    monkeypatch.setitem(proxies.registry._PROXIES, "snip", turned)
    models = [
        Scored(name, {"snip": "ok"}, {"snip": value}, {"snip": None}, 0.0, None) for name, value in (("a", 1), ("b", 2))
    ]
    assert [row.scored.model for row in ranked(models, ["snip"]).rows] == order


def test_repeats_are_seeds_of_weights_and_images(capsys):
    words = ["--proxies", "wrcor", "naswot", "--tail", "none"]
    singles = [ranking(capsys, *THREE[:2], *words, "--seed", str(seed)) for seed in (4, 5, 6)]
    found = ranking(capsys, *THREE[:2], *words, "--seed", "4", "--repeats", "3")
    assert found["repeats"] == [{"seed": 4 + i, "batch_sha256": one["batch_sha256"]} for i, one in enumerate(singles)]
    assert len({one["batch_sha256"] for one in singles}) == 3
    for row in found["models"]:
        alone = [next(r for r in one["models"] if r["model"] == row["model"]) for one in singles]
        for name in ("wrcor", "naswot"):
            values = np.array([r["scores"][name] for r in alone])
            assert row["scores"][name] == pytest.approx(values.mean(), rel=1e-14)
            assert row["standard_errors"][name] == pytest.approx(values.std(ddof=1) / np.sqrt(3), rel=1e-12)
            assert values.std() > 0
    assert singles[0]["models"][0]["standard_errors"] == {"wrcor": None, "naswot": None}


def test_the_table_shows_the_standard_error(capsys):
    assert main(["nets:small", *TINY, "--repeats", "2"]) == 0
    title, *lines = capsys.readouterr().out.splitlines()
    assert title.strip() == "1 model by wrcor, means of 2 repeats"
    assert any(re.search(r"nets:small +│ +-?\d+\.\d\d ± [\d.e-]+ │", line) for line in lines)


def test_one_repeat_without_a_score_leaves_the_model_without(capsys):
    found = ranking(capsys, f"nasbench201:{NONE}", "nets:small", "--proxies", "naswot", "--repeats", "2")
    row = found["models"][1]
    assert (row["rank"], row["status"], row["scores"]["naswot"]) == (None, "degenerate", None)
    assert row["reason"].startswith("repeat 1: naswot degenerate: ")


def test_a_vote_takes_the_means_of_repeats(capsys):
    found = ranking(capsys, *THREE, "--proxies", "vote:zscore(snip,wrcor)", "--repeats", "2")
    outcome = wrcor_ext.vote("vote:zscore(snip,wrcor)", [row["scores"] for row in found["models"]])
    assert list(outcome.ranks) == [1, 2, 3]


def test_levels_reach_the_score(capsys):
    values = {
        levels: ranking(capsys, "nets:blocks", "--levels", levels)["models"][0]["scores"]["wrcor"]
        for levels in ("flat", "blocks")
    }
    assert values["flat"] != values["blocks"]
    assert main(["nets:small", *TINY, "--levels", "nowhere"]) == 2
    assert "levels='nowhere' names no" in capsys.readouterr().err


def test_the_same_model_twice_is_scored_once(capsys):
    assert len(ranking(capsys, "nets:small", "nets:small")["models"]) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], r"no model is given: write one or more of timm:NAME, "),
        (["nets:smal"], r"model 'nets:smal': nets has no attribute 'smal', did you mean small\?"),
        (["nets:small", "--proxies", "wrcorr"], r"--proxies: unknown proxy or vote 'wrcorr': did you mean wrcor"),
        (["nets:small", "--proxies", "vote:rnk(wrcor)"], r"--proxies: unknown vote 'rnk': did you mean rank or"),
        (
            ["nets:small", "--proxies", "vote:rank(wrcor"],
            r"--proxies: 'vote:rank\(wrcor' is not written as vote:METHOD",
        ),
        (["nets:small", "--repeats", "0"], r"--repeats: expected a whole number from 1 to 1000, not 0"),
        (["nets:small", "--batch-size", "1"], r"--batch-size: expected a whole number from 2 to 512, not 1"),
        (["nets:small", "--tail", "x"], r"--tail: expected a whole number of at least 1, 'auto' or 'none'"),
        (["nets:small", "--data", "nois"], r"unknown data 'nois', did you mean noise"),
        (["nets:small", "--verbose"], r"unrecognized arguments: --verbose; python -m wrcor_ext.score --help lists"),
        (["nets:small", "--pretrained"], r"--pretrained: nets:counted has no published weights"),
        ([f"nasbench201:{CONV}|"], r"model 'nasbench201:.*malformed"),
    ],
)
def test_bad_input_is_one_sentence_before_anything_is_scored(words, message, capsys):
    assert main(["nets:counted", *words] if words else []) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.match(f"error: {message}", captured.err)
    assert captured.err.count("\n") == 1
    assert "nets" not in sys.modules or sys.modules["nets"].made == []


def test_a_vote_over_one_model_is_refused_before_it_is_scored(capsys):
    assert main(["nets:counted", *TINY, "--proxies", "wrcor", "vote:rank(snip)"]) == 2
    assert capsys.readouterr().err == "error: vote 'vote:rank(snip)' over one model: a vote compares at least two\n"
    assert "nets" not in sys.modules


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("nets:Raises", r"KeyError: "),
        ("nets:unmakeable", r"the model cannot be built: OSError: no file"),
        ("nets:linear", r"Sequential calls no activation function"),
    ],
)
def test_a_single_model_without_a_score_is_one_sentence(spec, reason, capsys):
    assert main([spec, *TINY]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(f"error: no score of {spec}: {reason}.*\n", captured.err)


def test_several_models_without_a_score_are_listed_and_an_error(capsys):
    assert main(["nets:Raises", "nets:linear", *TINY]) == 2
    captured = capsys.readouterr()
    assert "nets:linear" in captured.out
    assert captured.err.startswith("error: no score of nets:Raises and 1 more: KeyError")


def test_a_model_that_cannot_be_counted_is_scored_nevertheless(capsys, monkeypatch):
    from wrcor_ext.errors import InputError

    def refuse(*_):
        raise InputError("no")

    monkeypatch.setattr(comparison, "count", refuse)
    (row,) = ranking(capsys, "nets:small")["models"]
    assert (row["status"], row["cost"]) == ("ok", None)


def test_ctrl_c_shows_what_is_done(capsys):
    assert main(["nets:small", "nets:Interrupts", "nets:large", *TINY]) == 130
    captured = capsys.readouterr()
    assert "nets:small" in captured.out
    assert "nets:large" not in captured.out
    assert captured.err == "stopped after 1 of 3 models\n"


def test_a_missing_backend_is_not_the_models_fault(capsys, monkeypatch):
    def refuse(*_, **__):
        raise BackendError("no library")

    monkeypatch.setattr(comparison, "measure", refuse)
    assert main(["nets:small", *TINY]) == 2
    assert capsys.readouterr().err == "error: no library\n"


def test_a_misspelt_requirement_is_not_the_models_fault_either(capsys, monkeypatch):
    monkeypatch.setenv("WRCOR_EXT_REQUIRE", "foo")
    assert main(["nets:counted", *TINY]) == 2
    assert capsys.readouterr().err == "error: WRCOR_EXT_REQUIRE must be 'native' or 'cuda', not 'foo'.\n"
    assert "nets" not in sys.modules


def test_the_console_script_has_the_command(capsys):
    assert cli.main(["score", "--list"]) == 0
    assert "naswot" in capsys.readouterr().out


def test_the_console_script_finds_models_in_the_current_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder not in ("", str(tmp_path))])
    assert cli.main(["score", "nets:small", *TINY]) == 0
    assert "nets:small" in capsys.readouterr().out


def test_python_m_finds_models_in_the_current_folder():
    command = [
        sys.executable,
        "-W",
        "error::RuntimeWarning:runpy",
        "-m",
        "wrcor_ext.score",
        "nets:small",
        *TINY,
        "--json",
    ]
    environ = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": ""}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=300)
    assert json.loads(done.stdout)["models"][0]["status"] == "ok"


def test_importing_the_entry_point_does_not_hide_the_function(monkeypatch):
    monkeypatch.setattr(wrcor_ext, "score", wrcor_ext.score)  # put back, should it be hidden
    monkeypatch.delitem(sys.modules, "wrcor_ext.score", raising=False)
    assert wrcor_ext.score is score
    assert importlib.import_module("wrcor_ext.score") is score
    assert wrcor_ext.score is score
    from wrcor_ext import score as imported

    assert imported is score
