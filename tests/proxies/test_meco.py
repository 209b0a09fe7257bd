"""`meco` against numpy's correlations and eigenvalues."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.small_net import Net, batch
from torch import Tensor, nn

import wrcor_ext


def test_it_sums_smallest_eigenvalues_over_convolutions() -> None:
    torch.manual_seed(0)
    net, (images, _) = Net().double(), batch()
    images = images.double()
    maps: list[Tensor] = [net.stem(images)]
    for cell in net.cells:
        maps.append(cell[2](cell[1](cell[0](maps[-1] if len(maps) == 1 else nn.functional.gelu(maps[-1])))))
    truth = sum(np.linalg.eigvalsh(np.corrcoef(m[0].detach().flatten(1).numpy()))[0] for m in maps)
    result = wrcor_ext.score(net, images, proxies=["meco"])["meco"]
    assert result.value == pytest.approx(truth, rel=1e-6)
    assert result.detail["layers"] == 4


def test_as_many_channels_as_positions_add_nothing() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 16, 1, stride=2), nn.Conv2d(16, 64, 1), nn.Flatten())
    only = wrcor_ext.score(model[:1], batch()[0][:, :, :8, :8], proxies=["meco"])["meco"].value
    assert only == 0  # 16 channels on 4 x 4 positions
    larger = torch.randn(2, 3, 16, 16)
    assert wrcor_ext.score(model, larger, proxies=["meco"])["meco"].value == pytest.approx(
        wrcor_ext.score(model[:1], larger, proxies=["meco"])["meco"].value
    )


def test_constant_channels_are_left_out() -> None:
    torch.manual_seed(0)
    net, (images, _) = Net(), batch()
    full = wrcor_ext.score(net, images, proxies=["meco"])["meco"]
    with torch.no_grad():
        net.cells[2][2].weight[1] = 0
    part = wrcor_ext.score(net, images, proxies=["meco"])["meco"]
    assert (part.detail["layers"], part.detail["skipped"]) == (3, 1)
    assert part.value < full.value
    with torch.no_grad():
        for layer in (net.stem, *(cell[2] for cell in net.cells)):
            layer.weight.zero_()
    assert wrcor_ext.score(net, images, proxies=["meco"])["meco"].status == "degenerate"


def test_without_convolutions_it_is_refused() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.ReLU())
    result = wrcor_ext.score(model, batch()[0], proxies=["meco", "swap"])
    assert result["meco"].status == "failed"
    assert "no convolution" in str(result["meco"].detail["reason"])
    assert result["swap"].status == "ok"
