"""Costs against the networks themselves (torch's FLOP counter, real parameters) and against the published tables."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest
from helpers.counted import counted, flops_and_params
from helpers.golden import cases, data_file

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.spaces import Cost

SPACE = spaces.get("nasbench201")
ALL_CONV = ("nor_conv_3x3",) * 6


def random_options(rng):
    return {
        "stem_width": int(rng.integers(1, 9)),
        "cells_per_stage": int(rng.integers(1, 3)),
        "num_classes": int(rng.integers(1, 130)),
        "batch_norm": bool(rng.integers(2)),
    }


@pytest.mark.parametrize("seed", range(6))
def test_exact_cost_is_what_the_network_takes(seed):
    rng = np.random.default_rng(seed)
    for _ in range(50):
        arch, image_size, options = SPACE.sample(rng), 4 * int(rng.integers(1, 9)), random_options(rng)
        space = spaces.get("nasbench201", image_size=image_size, **options)
        expected = counted(space, arch, num_classes=options["num_classes"], image_size=image_size)
        assert flops_and_params(space.cost(arch)) == expected, (arch, image_size, options)
        assert SPACE.cost(arch, image_size=image_size, **options) == space.cost(arch)


def test_exact_cost_of_the_published_network():
    rng = np.random.default_rng(9)
    for arch in [ALL_CONV, ("none",) * 6, *(SPACE.sample(rng) for _ in range(3))]:
        for options in ({"num_classes": 10, "image_size": 32}, {"num_classes": 120, "image_size": 16}):
            assert flops_and_params(SPACE.cost(arch, **options)) == counted(SPACE, arch, **options)


def test_exact_cost_by_hand():
    # Stem 3*16*9*32^2, a reduction 9*C*2C + 9*2C*2C + C*2C at 16^2 and 8^2, classifier 64*10; no cell edge costs.
    stem = 3 * 16 * 9 * 32**2
    reductions = (9 * 16 * 32 + 9 * 32 * 32 + 16 * 32) * 16**2 + (9 * 32 * 64 + 9 * 64 * 64 + 32 * 64) * 8**2
    assert flops_and_params(SPACE.cost(("skip_connect",) * 6)) == Cost(stem + reductions + 640, 73_306)


def test_parameters_are_the_golden_ones():
    for case in cases("nasbench201"):
        options = {"stem_width": case["C"], "cells_per_stage": case["N"], "num_classes": case["classes"]}
        assert SPACE.cost(SPACE.parse(case["arch"]), **options).params == case["n_params"]


@pytest.mark.parametrize(
    ("dataset", "options"), [("cifar10", {}), ("imagenet16_120", {"num_classes": 120, "image_size": 16})]
)
def test_published_counting_reproduces_the_published_table(dataset, options):
    with gzip.open(data_file("nasbench201_zc.csv.gz"), "rt") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 9_445
    for row in rows:
        cost = SPACE.cost(SPACE.parse(row["arch"]), counting="published", **options)
        # The table has seven significant digits, in millions.
        assert f"{cost.flops / 1e6:.7g}" == f"{float(row[f'{dataset}_flops']):.7g}"
        assert cost.params == round(float(row[f"{dataset}_params"]) * 1e6)


def test_published_counting_without_batch_norm():
    # The network with one cell per stage at width 1 and 4 pixels, layer by layer: (ReLU + convolution) per composite.
    stem = 27 * 16
    first = (16 + 9 * 2 * 4) + (2 * 4 + 9 * 4 * 4) + 4 * 4 + 2 * 4
    second = (2 * 4 + 9 * 8 * 1) + (4 * 1 + 9 * 16 * 1) + 4 * 2 + 8 * 1
    edge = (16 + 1 * 16) + (8 + 4 * 4) + (4 + 16 * 1)
    head = 4 + 4 * 2 * 2 + 4 * 10
    arch = ("nor_conv_1x1", *["none"] * 5)
    cost = SPACE.cost(arch, counting="published", stem_width=1, cells_per_stage=1, image_size=4, batch_norm=False)
    assert cost.flops == stem + first + second + edge + head


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"image_size": 30}, "image_size=30 is not a multiple of 4"),
        ({"image_size": 0}, "image_size=0"),
        ({"num_classes": 0}, "num_classes=0 is not a whole number of at least 1"),
        ({"num_classes": True}, "num_classes=True"),
        ({"stem_width": 1.5}, "stem_width=1.5"),
        ({"cells_per_stage": -1}, "cells_per_stage=-1"),
        ({"batch_norm": "yes"}, "batch_norm='yes' is not true or false"),
        ({"counting": "thop"}, "counting='thop' is not one of exact, published"),
    ],
)
def test_bad_options_are_refused(options, what):
    with pytest.raises(InputError, match=what):
        SPACE.cost(ALL_CONV, **options)
    if "counting" not in options:
        with pytest.raises(InputError, match=what):
            spaces.get("nasbench201", **options)
