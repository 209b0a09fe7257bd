from __future__ import annotations

import csv
import gzip
from collections import Counter

import numpy as np
import pytest
import torch
from helpers.counted import counted, flops_and_params
from helpers.golden import data_file
from hypothesis import given
from hypothesis import strategies as st

import wrcor_ext
from wrcor_ext.errors import InputError
from wrcor_ext.spaces import Cost, Limits
from wrcor_ext.spaces.nasbench_macro import NASBenchMacro

SPACE = NASBenchMacro()


def table():
    with gzip.open(data_file("nasbench_macro.csv.gz"), "rt") as file:
        return list(csv.DictReader(file))


def test_enumeration_and_cost_are_those_of_the_published_table():
    rows = table()
    assert [row["arch"] for row in rows] == list(SPACE.enumerate())
    assert len(rows) == SPACE.size == 6_561
    assert all(flops_and_params(SPACE.cost(r["arch"])) == Cost(int(r["flops"]), int(r["params"])) for r in rows)
    assert all(SPACE.cost(r["arch"]) == SPACE.cost(r["arch"], counting="published") for r in rows)


def test_cost_is_what_the_network_takes():
    rng = np.random.default_rng(0)
    for _ in range(40):
        arch = SPACE.sample(rng)
        options = {"image_size": int(rng.integers(8, 50)), "num_classes": int(rng.integers(1, 130))}
        expected = counted(SPACE, arch, **options)
        assert SPACE.cost(arch, **options) == NASBenchMacro(**options).cost(arch)
        assert flops_and_params(SPACE.cost(arch, **options)) == expected, (arch, options)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("22212202", "22212220", True),  # the identity in the third stage is no layer
        ("10000000", "01000000", False),  # at the beginning of a stage it is one
        ("11101222", "11110222", True),
        ("11012222", "11102222", False),
        ("22212202", "22212201", False),
    ],
)
def test_keys_leave_identities_out(one, other, same):
    assert (SPACE.key(one) == SPACE.key(other)) is same


def test_keys_are_equal_exactly_for_equal_networks():
    # The text of the modules, less the identities, says what a network is.
    def network(arch):
        with torch.device("meta"):
            return tuple(str(m) for m in SPACE.build(arch).layers if not isinstance(m, torch.nn.Identity))

    rng = np.random.default_rng(1)
    archs = ["".join(rng.choice(list("012"), 8, p=[0.8, 0.1, 0.1])) for _ in range(60)]
    found = {SPACE.key(arch): network(arch) for arch in archs}
    assert len(set(found.values())) == len(found) < len(set(archs))
    assert all(found[SPACE.key(arch)] == network(arch) for arch in archs)
    assert len({SPACE.key(arch) for arch in SPACE.enumerate()}) == 9 * 21 * 21


def test_samples_and_mutations_are_uniform():
    rng = np.random.default_rng(2)
    draws = [SPACE.sample(rng) for _ in range(3_000)]
    for position in range(8):
        counts = Counter(arch[position] for arch in draws)
        assert all(abs(counts[digit] - 1_000) < 130 for digit in "012")  # five standard deviations
    children = Counter(SPACE.mutate("22212202", rng) for _ in range(1_600))
    assert len(children) == 16
    assert all(sum(a != b for a, b in zip(child, "22212202", strict=True)) == 1 for child in children)
    assert all(50 < count < 150 for count in children.values())


def test_limits():
    rng = np.random.default_rng(3)
    limits = Limits(flops=20e6, params=900_000)
    arch = SPACE.sample(rng, limits=limits)
    for _ in range(30):
        assert limits.admits(SPACE.cost(arch))
        arch = SPACE.mutate(arch, rng, limits=limits)
    with pytest.raises(InputError, match=r"flops <= 1000: the smallest had 7713280 FLOPs"):
        SPACE.sample(rng, limits=Limits(flops=1000))
    with pytest.raises(InputError, match=r"no neighbour of 22222222 keeps flops <= 1000"):
        SPACE.mutate("22222222", rng, limits=Limits(flops=1000))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "at character 1: 0 characters instead of 8"),
        ("2221220", "at character 8: 7 characters instead of 8"),
        ("222122020", "at character 9: 9 characters instead of 8"),
        ("22312202", "at character 3: '3' is not allowed, allowed are the digits 0 to 2"),
        ("2221220\n", "at character 8: '\\n' is not allowed"),
        ("2221220٢", "at character 8"),
    ],
)
def test_malformed_text_is_refused_with_its_position(text, what):
    with pytest.raises(InputError) as error:
        SPACE.parse(text)
    assert what in str(error.value)
    for method in (SPACE.format, SPACE.key, SPACE.cost, SPACE.build):
        with pytest.raises(InputError, match="is not a NAS-Bench-Macro architecture: 8 digits from 0 to 2"):
            method(text)


@pytest.mark.parametrize("value", [None, 22212202, b"22212202", ("2",) * 8])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(InputError, match="is a text, not"):
        SPACE.parse(value)


@given(st.one_of(st.text(), st.text("0123", min_size=7, max_size=9)))
def test_parser_accepts_the_grammar_and_refuses_the_rest_cleanly(text):
    if len(text) == 8 and set(text) <= set("012"):
        assert SPACE.parse(text) == SPACE.format(text) == text
    else:
        with pytest.raises(InputError):
            SPACE.parse(text)


@pytest.mark.parametrize("options", [{"num_classes": 0}, {"image_size": 1.5}])
def test_bad_options_are_refused(options):
    with pytest.raises(InputError, match="is not a whole number of at least 1"):
        NASBenchMacro(**options)
    with pytest.raises(InputError, match="is not a whole number of at least 1"):
        SPACE.cost("22212202", **options)
    with pytest.raises(InputError, match="counting='thop' is not one of"):
        SPACE.cost("22212202", counting="thop")


def test_network_can_be_scored():
    model = SPACE.build("10210120", num_classes=7, seed=0)
    images = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    result = wrcor_ext.score(model, images, torch.arange(8) % 7)["wrcor"]
    assert result.status == "ok"
    assert result.detail["levels"] == 10  # stem, eight layers, head
