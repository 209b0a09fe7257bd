"""`params` and `flops` against the costs that the spaces know without building anything."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.small_net import Net, batch
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext import spaces


@pytest.mark.parametrize("space", ["nasbench201", "nasbench101", "nasbench_macro", "mobilenetv2"])
def test_they_are_the_spaces_own_costs(space: str) -> None:
    of = spaces.get(space)
    arch = of.sample(np.random.default_rng(0))
    cost = of.cost(arch)
    size = arch.resolution if space == "mobilenetv2" else 32
    scores = wrcor_ext.score(of.build(arch, seed=0), torch.randn(2, 3, size, size), proxies=["params", "flops"])
    assert (scores["flops"].value, scores["params"].value) == (cost.flops, cost.params)


def test_the_small_network_by_formula() -> None:
    scores = wrcor_ext.score(Net(levels=2, classes=4), batch()[0], proxies=["params", "flops"])
    convolutions = 3 * 6 + 2 * 6 * 6  # pairs of channels, of 3 x 3 weights each
    assert scores["params"].value == 9 * convolutions + 3 * 6 + 2 * 12 + 6 * 4 + 4
    assert scores["flops"].value == 9 * convolutions * 64 + 6 * 4


def test_a_network_of_tokens_is_counted() -> None:
    model = nn.Sequential(nn.Embedding(10, 6), nn.Linear(6, 5), nn.ReLU(), nn.Flatten(), nn.Linear(40, 4))
    scores = wrcor_ext.score(model, torch.zeros(8, 8, dtype=torch.int64), proxies=["flops"])
    assert scores["flops"].value == 8 * 6 * 5 + 40 * 4


def test_a_network_that_cannot_be_counted_has_parameters_all_the_same() -> None:
    class TwoImages(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            if len(x) == 1:
                raise ValueError("one image is not enough")
            return self.layer(x)

    scores = wrcor_ext.score(TwoImages(), torch.randn(2, 3), proxies=["params", "flops"])
    assert scores["params"].value == 8
    assert scores["flops"].status == "failed"
    assert "one image is not enough" in str(scores["flops"].detail["reason"])
