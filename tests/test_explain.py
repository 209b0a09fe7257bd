"""`--explain` of the commands: the plan in words and numbers, and nothing scored."""

from __future__ import annotations

import json

import pytest

from wrcor_ext import proxies, score_command, search
from wrcor_ext.plan import plan

COMMANDS = {"score": score_command.main, "search": search.main}


@pytest.mark.parametrize("command", COMMANDS)
def test_it_prints_the_plan_and_scores_nothing(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--explain", "--proxies", "wrcor", "snip", "jacob_cor"]
    assert COMMANDS[command](words) == 0
    shared, total, note, *thrift = capsys.readouterr().out.splitlines()
    assert shared.endswith(": wrcor, snip, jacob_cor")
    assert "backward of the loss to responses and weights" in shared
    assert total == "together 1 forward and 2 backwards"
    assert note == "and a forward of two images before them, to find the tail"
    assert thrift == [
        "where memory is short: 1 forward more, block by block in the backward",
        "else in k micro-batches (k = 4, 8, ...): 1 forward, k - 1 forwards and k - 1 backwards for all pairs of them, "
        "1 forward and 2 backwards for the rest; 1 forward more if there are batch-norms, and for each of them "
        "2 forwards and 2 backwards",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_given_tail_is_not_looked_for(capsys):
    assert score_command.main(["no:such:model", "--explain", "--tail", "4"]) == 0
    planned = plan([proxies.get("wrcor")])
    assert capsys.readouterr().out.splitlines() == [*planned.explain(), *planned.explain_thrift()]


def test_json_has_the_counts(capsys):
    assert score_command.main(["--explain", "--json", "--proxies", "naswot"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert (explained["forwards"], explained["backwards"]) == (1, 0)
    assert explained["passes"] == plan([proxies.get("naswot")]).explain()
    assert explained["where_memory_is_short"] == [
        "where memory is short: in k micro-batches (k = 4, 8, ...): 1 forward, k - 1 forwards for all pairs of them; "
        "1 forward more if there are batch-norms"
    ]
    assert plan([proxies.get("params")]).explain_thrift() == []
