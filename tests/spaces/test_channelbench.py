from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest
import torch
from helpers.counted import counted, flops_and_params
from helpers.golden import data_file
from hypothesis import given
from hypothesis import strategies as st

import wrcor_ext
from wrcor_ext.errors import InputError
from wrcor_ext.spaces import Cost
from wrcor_ext.spaces.channelbench import ChannelBenchMobileNet

SPACE = ChannelBenchMobileNet()


def test_enumeration_and_cost_are_those_of_the_published_table():
    with gzip.open(data_file("channelbench_mobilenet.csv.gz"), "rt") as file:
        rows = list(csv.DictReader(file))
    assert [row["arch"] for row in rows] == list(SPACE.enumerate())
    assert len(rows) == SPACE.size == 16_384
    assert all(flops_and_params(SPACE.cost(r["arch"])) == Cost(int(r["flops"]), int(r["params"])) for r in rows)
    assert all(SPACE.cost(r["arch"]) == SPACE.cost(r["arch"], counting="published") for r in rows[::100])


def test_cost_is_what_the_network_takes():
    rng = np.random.default_rng(0)
    for _ in range(40):
        arch = SPACE.sample(rng)
        options = {"image_size": int(rng.integers(4, 50)), "num_classes": int(rng.integers(1, 130))}
        expected = counted(SPACE, arch, **options)
        assert SPACE.cost(arch, **options) == ChannelBenchMobileNet(**options).cost(arch)
        assert flops_and_params(SPACE.cost(arch, **options)) == expected, (arch, options)


def test_every_architecture_is_its_own_key():
    assert all(SPACE.key(arch) == SPACE.format(arch) == arch for arch in SPACE.enumerate())


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("444434", "at character 7: 6 characters instead of 7"),
        ("4444340", "at character 7: '0' is not allowed, allowed are the digits 1 to 4"),
    ],
)
def test_malformed_text_is_refused_with_its_position(text, what):
    with pytest.raises(InputError) as error:
        SPACE.parse(text)
    assert what in str(error.value)


@given(st.one_of(st.text(), st.text("012345", min_size=6, max_size=8)))
def test_parser_accepts_the_grammar_and_refuses_the_rest_cleanly(text):
    if len(text) == 7 and set(text) <= set("1234"):
        assert SPACE.parse(text) == text
    else:
        with pytest.raises(InputError, match="malformed Channel-Bench architecture"):
            SPACE.parse(text)


def test_network_can_be_scored():
    model = SPACE.build("1212121", num_classes=7, seed=0)
    images = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    result = wrcor_ext.score(model, images, torch.arange(8) % 7)["wrcor"]
    assert result.status == "ok"
    assert result.detail["levels"] == 6  # stem, four inverted residuals, head
