"""`swap` and `swap_reg` against sets of columns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.small_net import Net, batch
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext.proxies.swap import regularised


def columns(responses: list[Tensor]) -> set[tuple[bool, ...]]:
    signs = np.concatenate([r.detach().flatten(1).numpy() > 0 for r in responses], 1)
    return {tuple(column) for column in signs.T}


@pytest.mark.parametrize("n", [2, 8, 31, 32, 33, 64, 65, 130])
def test_it_counts_the_distinct_columns_for_any_number_of_images(n: int) -> None:
    torch.manual_seed(0)
    images = torch.randn(n, 3000)
    images[:, 1000:] = images[:, :1000].repeat(1, 2)  # every column three times
    images[:, 2000:] = images[:, 2000:].flip(0)
    model = nn.ReLU()
    assert wrcor_ext.score(model, images, proxies=["swap"])["swap"].value == len(columns([images]))


@pytest.mark.parametrize("rule", ["activations", "reference"])
def test_it_takes_what_the_rule_counts_as_responses(rule: str) -> None:
    torch.manual_seed(0)
    net, (images, _) = Net(), batch(12)
    x = net.stem(images)
    responses = []
    for cell in net.cells:
        responses.append(cell[0](x))
        x = cell[2](responses[-1].relu())
        if rule == "activations":
            responses.append(x)
        x = F.gelu(x)
    result = wrcor_ext.score(net, images, proxies=["swap"], rule=rule)["swap"]
    assert result.value == len(columns(responses))


def test_beside_other_proxies_and_in_place_activations_it_counts_the_same() -> None:
    torch.manual_seed(0)
    images, labels = batch(12)
    layers = [nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3), nn.Hardswish(inplace=True)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 4))
    first = model[0](images)
    second = model[2](first.relu())
    scores = wrcor_ext.score(model, images, labels, proxies=["swap", "wrcor", "snip", "jacob_cor"])
    alone = wrcor_ext.score(model, images, labels, proxies=["wrcor"])
    assert scores["swap"].value == len(columns([first, second]))
    assert scores["wrcor"].value == pytest.approx(alone["wrcor"].value, rel=1e-9)


def test_regularised_by_the_number_of_parameters() -> None:
    images, _ = batch()
    scores = wrcor_ext.score(Net(), images, proxies=["swap", "swap_reg", "params"])
    size = scores["params"].value / 1e6
    assert scores["swap_reg"].value == pytest.approx(scores["swap"].value * math.exp(-((size - 1.5) ** 2) / 1.5))
    assert regularised(100, 3_000_000, mu=3, sigma=0.1).value == 100
    far = regularised(100, 300_000_000)
    assert far.value == 0
    assert "too far" in str(far.reason)


def test_a_model_without_responses_is_refused() -> None:
    class SequenceFirst(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x.flatten(2).permute(2, 0, 1)).mean(0)

    result = wrcor_ext.score(SequenceFirst(), batch()[0], proxies=["swap"])["swap"]
    assert result.status == "failed"
    assert "a row per image" in str(result.detail["reason"])
