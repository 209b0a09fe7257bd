"""Searches under limits: every candidate keeps them, judged for the run's own classes and images."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.toy import ToySpace

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.limited_space import LimitedSpace
from wrcor_ext.search.cli import main
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.limits import limited
from wrcor_ext.spaces import Cost, Limits


def costs(folder):
    with sqlite3.connect(folder / "trials.sqlite") as db:
        return list(db.execute("SELECT architecture, flops, params FROM trials"))


@pytest.mark.parametrize("strategy", ["random", "evolution", "exhaustive", "local"])
def test_every_candidate_keeps_the_limits(tiny, by, tmp_path, strategy):
    words = [*by(strategy), "--budget", "20", "--max-flops", "80e3", "--max-params", "6000"]
    assert main([*tiny, *words, "--out", str(tmp_path / "run")]) == 0
    found = costs(tmp_path / "run")
    assert len(found) == 20
    assert all(flops <= 80e3 and params <= 6000 for _, flops, params in found)
    assert json.loads((tmp_path / "run" / "best.json").read_text())["cost"]["flops"] <= 80e3
    assert main([*tiny, *words, "--budget", "22", "--out", str(tmp_path / "run"), "--resume"]) == 0
    assert costs(tmp_path / "run")[:20] == found


def test_limits_are_those_of_the_classes_and_images_of_the_run(tmp_path):
    """With the space's own 10 classes and 32 pixels many more cells would be within these limits, or none."""
    rng = np.random.default_rng(0)
    batch = {f"class{i}": rng.integers(0, 255, (4, 8, 8, 3), dtype=np.uint8) for i in range(3)}
    np.savez(
        tmp_path / "images.npz",
        images=np.concatenate(list(batch.values())),
        labels=np.repeat(np.arange(3), 4),
    )
    words = ["--dataset", f"npz:{tmp_path / 'images.npz'}", "--stem-width", "4", "--cells-per-stage", "1"]
    words += ["--image-size", "8", "--batch-size", "6", "--budget", "12", "--strategy", "random"]
    space = spaces.get("nasbench201", stem_width=4, cells_per_stage=1, num_classes=3, image_size=8)
    allowed = sorted(space.cost(arch).params for arch in space.enumerate())[2000]
    assert main([*words, "--max-params", str(allowed), "--out", str(tmp_path / "run")]) == 0
    for text, flops, params in costs(tmp_path / "run"):
        exact = space.cost(space.parse(text))
        assert (exact.flops, exact.params) == (flops, params)
        assert params <= allowed


def test_memory_and_layers_are_kept_and_recorded(tiny, tmp_path, capsys):
    space = spaces.get("nasbench201", stem_width=4, cells_per_stage=1, num_classes=10, image_size=8)
    found = [space.cost(arch) for arch in space.enumerate()]
    allowed = sorted(cost.memory for cost in found)[7000], sorted(cost.layers for cost in found)[7000]
    words = ["--max-memory", str(allowed[0]), "--max-layers", str(allowed[1]), "--budget", "10"]
    assert main([*tiny, *words, "--out", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert all(f" {title} " in printed for title in ("memory", "layers"))
    rows = pq.read_table(tmp_path / "run" / "trials.parquet").to_pylist()
    assert len(rows) == 10
    for row in rows:
        assert space.cost(space.parse(row["architecture"])) == Cost(
            row["flops"], row["params"], row["memory"], row["layers"]
        )
        assert row["memory"] <= allowed[0]
        assert row["layers"] <= allowed[1]
    best = json.loads((tmp_path / "run" / "best.json").read_text())
    assert best["cost"] == {name: rows[best["trial"]][name] for name in ("flops", "params", "memory", "layers")}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--max-memory", "10"], "keeps memory <= 10: the smallest had"),
        (["--max-layers", "2"], "keeps layers <= 2: the smallest had 8 layers"),
        (["--max-layers", "2.5"], "--max-layers: expected a whole number of at least 1 or 'none' (no limit), not"),
        (["--max-memory", "0"], "--max-memory: expected a positive number of bytes or 'none' (no limit), not"),
        (["--max-params", "10"], "none of 10000 random architectures keeps params <= 10"),
        (["--max-flops", "-3"], "--max-flops: expected a positive number of multiply-adds or 'none' (no limit), not"),
        (["--max-flops", "many"], "not 'many'"),
        (["--max-latency", "1e-9"], "timed architectures keeps latency <= 1e-09: the fastest took"),
        (["--latency-table", "t.csv"], "--latency-table t.csv has no effect without --max-latency"),
        (["--max-latency", "1", "--latency-table", "t.csv"], "cannot read latencies from 't.csv'"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused_before_a_folder_is_made(
    tiny, tmp_path, monkeypatch, capsys, words, sentence
):
    monkeypatch.chdir(tmp_path)
    assert main([*tiny, *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_latencies_decides(tiny, tmp_path):
    space = spaces.get("nasbench201")
    fast = [arch for arch in space.enumerate() if "nor_conv_3x3" not in arch]
    rows = [f"{space.format(arch)},{1 if arch in fast else 9}" for arch in space.enumerate()]
    (tmp_path / "t.csv").write_text("\n".join(["architecture,latency_ms", *rows]))
    words = ["--max-latency", "2", "--latency-table", str(tmp_path / "t.csv"), "--budget", "8"]
    assert main([*tiny, *words, "--out", str(tmp_path / "run")]) == 0
    assert all("nor_conv_3x3" not in text for text, _, _ in costs(tmp_path / "run"))


def test_without_limits_the_space_is_itself():
    space = spaces.get("nasbench201")
    assert limited(space, SearchConfig()) is space


def test_a_limited_space_is_the_other_one_within_limits():
    space = spaces.get("nasbench201")
    within = LimitedSpace(space, Limits(params=300_000))
    rng = np.random.default_rng(0)
    arch = within.sample(rng)
    for _ in range(30):
        assert space.cost(arch).params <= 300_000
        arch = within.mutate(arch, rng)
    inside = list(within.enumerate())
    assert 0 < len(inside) < space.size
    assert all(space.cost(a).params <= 300_000 for a in inside)
    assert within.size is None
    with pytest.raises(InputError, match="limited to params <= 300000 already"):
        within.sample(rng, limits=Limits(flops=1e9))


def test_where_no_neighbour_keeps_the_limits_a_search_goes_on_elsewhere():
    class Isolated(ToySpace):
        def mutate(self, arch, rng, *, limits=None):
            raise InputError("no neighbour")

    within = LimitedSpace(Isolated(), Limits(flops=1e9))
    assert within.mutate((0, 0, 0, 0), np.random.default_rng(0)) == within.sample(np.random.default_rng(0))
