"""The list of proxies: on the command line, as JSON, and in the documentation."""

from __future__ import annotations

import json
import math
import runpy
from pathlib import Path

from helpers.small_net import Net, batch

import wrcor_ext
from wrcor_ext import listing, proxies
from wrcor_ext.plan import plan
from wrcor_ext.score_command import main

DOCS = Path(wrcor_ext.__file__).parents[1] / "docs"


def test_the_list_says_what_each_proxy_takes(capsys):
    assert main(["--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in listed] == list(proxies.names())
    for entry in listed:
        proxy, alone = proxies.get(entry["name"]), plan([proxies.get(entry["name"])])
        assert (entry["forwards"], entry["backwards"]) == (alone.forwards, alone.backwards)
        for name in ("higher_is_better", "needs_labels", "deterministic", "paper", "summary"):
            assert entry[name] == getattr(proxy, name)
        assert entry["aliases"] == list(proxy.aliases)
    naswot = next(entry for entry in listed if entry["name"] == "naswot")
    assert (naswot["aliases"], naswot["forwards"], naswot["backwards"]) == (["act_hamming"], 1, 0)
    assert (naswot["needs_labels"], naswot["higher_is_better"], naswot["deterministic"]) == (False, True, True)


def test_the_table_shows_every_proxy(capsys):
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "sjw = vote:majority(synflow, jacob_cor, wrcor)" in lines
    for name in proxies.names():
        proxy = proxies.get(name)
        row = next(line for line in lines if line.split()[0] == name)
        assert all(alias in row for alias in proxy.aliases)
        assert ("labels" in row) is proxy.needs_labels
        assert ("random numbers" in row) is not proxy.deterministic


def test_the_documentation_lists_the_registry(capsys):
    assert main(["--markdown"]) == 0
    written = capsys.readouterr().out
    assert written == listing.markdown()
    command = "python -m wrcor_ext.score --markdown > docs/proxies_table.md"
    assert (DOCS / "proxies_table.md").read_text(encoding="utf-8") == written, f"run: {command}"
    assert "docs/proxies_table.md" in (DOCS / "proxies.md").read_text(encoding="utf-8")


def test_an_alternative_in_a_cell_does_not_end_it():
    for line in listing.markdown().splitlines()[2:]:
        assert line.replace(r"\|", "").count("|") == 6


def test_the_documented_proxy_of_ones_own_works(tmp_path):
    page = (DOCS / "proxies.md").read_text(encoding="utf-8")
    example = page[page.index("## Your own") :].split("```python\n")[1].split("```")[0]
    (tmp_path / "own.py").write_text(example)
    try:
        runpy.run_path(str(tmp_path / "own.py"))
        found = wrcor_ext.score(Net(), *batch(), proxies=["log_snip", "snip"])
    finally:
        proxies.registry._PROXIES.pop("log_snip", None)
        proxies.registry._CANONICAL.pop("log_snip", None)
    assert {result.status for result in found.values()} == {"ok"}
    assert math.isfinite(found["log_snip"].value)
