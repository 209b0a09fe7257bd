"""Costs against the networks themselves (torch's FLOP counter, real parameters) and against the published table."""

from __future__ import annotations

import csv
import gzip
import json

import numpy as np
import pytest
from helpers.counted import counted, flops_and_params
from helpers.golden import data_file

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.spaces import Cost
from wrcor_ext.spaces.nasbench101_cell import Cell
from wrcor_ext.spaces.nasbench101_cost import vertex_channels

SPACE = spaces.get("nasbench101")
SMALLEST = Cell(((0, 1), (0, 0)), ("input", "output"))


def random_options(rng):
    return {
        "stem_width": int(rng.integers(5, 9)),
        "stacks": int(rng.integers(1, 4)),
        "cells_per_stack": int(rng.integers(1, 3)),
        "num_classes": int(rng.integers(1, 130)),
    }


@pytest.mark.parametrize("seed", range(4))
def test_exact_cost_is_what_the_network_takes(seed):
    rng = np.random.default_rng(seed)
    for _ in range(50):
        arch, image_size, options = SPACE.sample(rng), int(rng.integers(4, 12)), random_options(rng)
        space = spaces.get("nasbench101", image_size=image_size, **options)
        expected = counted(space, arch, num_classes=options["num_classes"], image_size=image_size)
        assert flops_and_params(space.cost(arch)) == expected, (arch, image_size, options)
        assert SPACE.cost(arch, image_size=image_size, **options) == space.cost(arch)


def test_parameters_are_the_published_ones():
    with gzip.open(data_file("nasbench101.csv.gz"), "rt") as table:
        for row in csv.DictReader(table):
            n = int(row["vertices"])
            matrix = [[int(entry) for entry in row["matrix"][i * n : (i + 1) * n]] for i in range(n)]
            arch = SPACE.parse(json.dumps({"matrix": matrix, "ops": row["ops"].split(",")}))
            assert SPACE.cost(arch).params == int(row["params"]), row["hash"]


def test_cost_by_hand():
    # Stem and nine projections, each with a batch-norm; the classifier.
    projections = [(128, 128, 32)] * 3 + [(128, 256, 16)] + [(256, 256, 16)] * 2 + [(256, 512, 8)] + [(512, 512, 8)] * 2
    flops = 27 * 128 * 32**2 + sum(a * b * size**2 for a, b, size in projections) + 512 * 10
    params = 27 * 128 + 2 * 128 + sum(a * b + 2 * b for a, b, _ in projections) + 513 * 10
    # At 32 x 32 pixels, a cell's input and its projection.
    memory = 4 * (128 + 128) * 32**2
    expected = Cost(flops, params, memory, layers=1 + 9 + 1)
    assert SPACE.cost(SMALLEST) == SPACE.cost(SMALLEST, counting="published") == expected


@pytest.mark.parametrize(
    ("matrix", "channels"),
    [
        ([[0, 1], [0, 0]], [3, 128]),
        # Three vertices share 128: 43 + 43 + 42; input -> output takes no share.
        ([[0, 1, 1, 1, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0] * 5], [3, 43, 43, 42, 128]),
        # Vertex 1 is as wide as the wider of those it feeds.
        ([[0, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0] * 5], [3, 64, 64, 64, 128]),
        ([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0] * 4], [3, 128, 128, 128]),
        # Vertex 2 has 128/2, though it feeds vertex 3 of the same width; vertex 1 feeds both.
        ([[0, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 1, 1], [0, 0, 0, 0, 1], [0] * 5], [3, 64, 64, 64, 128]),
    ],
)
def test_channels_follow_the_benchmarks_rule(matrix, channels):
    sources = [sum(row[target] << source for source, row in enumerate(matrix)) for target in range(len(matrix))]
    assert vertex_channels(3, 128, sources) == channels


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"image_size": 3}, "image_size=3 cannot be halved 2 times"),
        ({"image_size": 0}, "image_size=0"),
        ({"num_classes": True}, "num_classes=True"),
        ({"stem_width": 4}, "stem_width=4 is less than 5 channels"),
        ({"stem_width": 8.0}, "stem_width=8.0"),
        ({"stacks": 0}, "stacks=0 is not a whole number of at least 1"),
        ({"cells_per_stack": -1}, "cells_per_stack=-1"),
        ({"counting": "thop"}, "counting='thop' is not one of exact, published"),
    ],
)
def test_bad_options_are_refused(options, what):
    with pytest.raises(InputError, match=what):
        SPACE.cost(SMALLEST, **options)
    if "counting" not in options:
        with pytest.raises(InputError, match=what):
            spaces.get("nasbench101", **options)
