from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wrcor_ext import spaces
from wrcor_ext.spaces.nasbench101_cell import OPS, Cell
from wrcor_ext.spaces.nets.nasbench101 import Cell as CellModule

SPACE = spaces.get("nasbench101", stem_width=12, cells_per_stack=2)
CONV3, CONV1, POOL = OPS
# Everything at once: truncation, projections, a sum, a concatenation, and an edge from input to output.
MATRIX = ((0, 1, 1, 0, 1), (0, 0, 1, 1, 0), (0, 0, 0, 0, 1), (0, 0, 0, 0, 1), (0,) * 5)
CELL = Cell(MATRIX, ("input", CONV3, POOL, CONV1, "output"))


def test_levels_are_the_stem_the_cells_and_the_poolings():
    model = SPACE.build(CELL)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["ConvBnRelu", *["Cell"] * 2, "MaxPool2d", *["Cell"] * 2, "MaxPool2d", *["Cell"] * 2]
    assert not [m for m in model.modules() if "ReLU" in type(m).__name__ and not isinstance(m, nn.ReLU)]


def composite(module, x):
    """Convolution, batch-norm of one batch, ReLU, spelt out."""
    weight = module[0].weight
    y = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
    mean, variance = y.mean((0, 2, 3), keepdim=True), y.var((0, 2, 3), correction=0, keepdim=True)
    return ((y - mean) / torch.sqrt(variance + 1e-5)).clamp_min(0)


def test_cell_computes_what_its_graph_says():
    torch.manual_seed(0)
    # Output channels 7: vertex 2 has 4 of them, vertex 3 has 3; vertex 1 feeds both and has 4.
    module = CellModule([0, 0b1, 0b11, 0b10, 0b1101], CELL.ops[1:-1], 5, 7).double()
    x = torch.randn(3, 5, 6, 6, dtype=torch.float64)
    project = {target: composite(module.projections[str(target)], x) for target in (1, 2, 4)}
    first = composite(module.vertices["1"], project[1])
    second = F.max_pool2d(first[:, :4] + project[2], 3, stride=1, padding=1)
    third = composite(module.vertices["3"], first[:, :3])
    expected = torch.cat([second, third], 1) + project[4]
    torch.testing.assert_close(module(x), expected, rtol=1e-10, atol=1e-10)


def test_gradients_reach_every_parameter():
    model = SPACE.build(CELL, seed=1)
    model(torch.randn(4, 3, 16, 16)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_images_of_other_sizes_are_welcome():
    model = SPACE.build(CELL, num_classes=3).eval()
    assert model(torch.randn(2, 3, 21, 21)).shape == (2, 3)


@pytest.mark.parametrize("op", [CONV3, CONV1])
def test_initialisation_is_the_published_one(op):
    cell = Cell(((0, 1, 0), (0, 0, 1), (0, 0, 0)), ("input", op, "output"))
    model = SPACE.build(cell, stem_width=64, seed=0)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            assert module.bias is None
            deviation = math.sqrt(2 / (module.kernel_size[0] ** 2 * module.out_channels))
            assert module.weight.std().item() == pytest.approx(deviation, rel=0.08)
            assert abs(module.weight.mean().item()) < 5 * deviation / math.sqrt(module.weight.numel())
        elif isinstance(module, nn.BatchNorm2d):
            assert bool((module.weight == 1).all() and (module.bias == 0).all())
    assert model.classifier.weight.std().item() == pytest.approx(0.01, rel=0.08)
    assert bool((model.classifier.bias == 0).all())


def test_seed_decides_the_weights_and_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    one, same, other = (SPACE.build(CELL, seed=seed).state_dict() for seed in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["layers.0.0.weight"], other["layers.0.0.weight"])


def test_every_sampled_cell_runs_forward_and_backward():
    rng = np.random.default_rng(0)
    space = spaces.get("nasbench101", stem_width=5, cells_per_stack=1)
    images = torch.randn(2, 3, 8, 8)
    for _ in range(60):
        model = space.build(space.sample(rng))
        torch.autograd.grad(model(images).sum(), list(model.parameters()))
