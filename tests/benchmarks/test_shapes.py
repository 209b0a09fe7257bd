"""The shapes of the spaces are what a real pass hands over."""

from __future__ import annotations

from collections import Counter

import pytest
import shapes
import torch
import torch.nn.functional as F

from wrcor_ext import spaces
from wrcor_ext.recorder import Recorder


def small(name):
    options = {"nasbench201": {"stem_width": 4, "cells_per_stage": 1}, "nasbench101": {"stem_width": 5}}[name]
    return spaces.get(name).build(CELLS[name], num_classes=10, seed=0, **options)


CELLS = {
    "nasbench201": ("nor_conv_3x3",) * 6,
    "nasbench101": spaces.get("nasbench101").parse(
        '{"matrix": [[0, 1, 1], [0, 0, 1], [0, 0, 0]], "ops": ["input", "conv3x3-bn-relu", "output"]}'
    ),
}


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101"])
def test_meta_pass_sees_what_a_real_pass_sees(name):
    real = shapes.ShapeCount(Counter())
    model = small(name).requires_grad_(False)
    recorder = Recorder(model, real)
    with recorder:
        output = model(torch.randn(4, 3, 16, 16))
    recorder.backward(F.cross_entropy(output, torch.arange(4)))
    assert shapes.shapes_of(small(name), 16) == real.shapes


def test_all_conv_nasbench201():
    # Six ReLUs a cell at each width, two more in each of the residual blocks, one at the end; two responses each.
    found = shapes.shapes_of(small("nasbench201"), 32)
    assert found == {(4, 32, 32): 14, (8, 16, 16): 16, (16, 8, 8): 16}


def test_features_of_a_space():
    found = shapes.features_of_space("nasbench201", samples=2, seed=1)
    assert set(found) == {16384, 8192, 4096}  # 16 x 32 x 32, 32 x 16 x 16, 64 x 8 x 8
    assert found == shapes.features_of_space("nasbench201", samples=2, seed=1)
    assert found[4096] % 2 == 0  # an activation and a gradient of each call


def test_representative():
    counted = Counter({10: 1, 100: 50, 1000: 2, 2000: 3, 5000: 1, 9000: 1})
    assert shapes.representative(counted, 5000) == [10, 100, 2000, 5000]
    assert shapes.representative(counted, 10**6) == [10, 100, 5000, 9000]
    assert shapes.representative(Counter({3: 1, 5: 2}), 10) == [3, 5]
