"""`zen` against Algorithm 1 of its paper, written out."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from helpers.small_net import Net, batch
from torch import Tensor, nn

import wrcor_ext


def test_it_is_the_papers_algorithm() -> None:
    torch.manual_seed(0)
    net, images = Net().double(), batch()[0].double()
    torch.manual_seed(3)
    weights = [torch.randn_like(m.weight) for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    point = torch.randn_like(images)
    moved = point + 0.01 * torch.randn_like(images)
    logs = []

    def features(x: Tensor) -> Tensor:
        logs.clear()
        x = F.conv2d(x, weights[0], padding=1)
        for weight in weights[1:-1]:
            variance = x.var((0, 2, 3), unbiased=False)
            logs.append(math.log(math.sqrt(float(variance.mean()))))
            x = (x - x.mean((0, 2, 3), keepdim=True)) / (variance + 1e-5).sqrt()[:, None, None]
            x = F.gelu(F.conv2d(x.relu(), weight, padding=1))
        return x

    other, still = features(moved), features(point)
    distance = sum(float(torch.linalg.vector_norm(a - b)) for a, b in zip(other, still, strict=True)) / len(images)
    result = wrcor_ext.score(net, images, proxies=["zen"], seed=3)["zen"]
    assert result.value == pytest.approx(math.log(distance) + sum(logs), rel=1e-9)


def test_the_weights_come_back_after_an_exception_too() -> None:
    class Broken(Net):
        def forward(self, x: Tensor) -> Tensor:
            super().forward(x)
            raise ValueError("no such thing")

    model = Broken()
    with torch.no_grad():
        model.cells[0][0].weight.fill_(3)
    before = {name: (p.data_ptr(), p.detach().clone()) for name, p in model.named_parameters()}
    result = wrcor_ext.score(model, batch()[0], proxies=["zen"])["zen"]
    assert result.status == "failed"
    for name, parameter in model.named_parameters():
        assert parameter.data_ptr() == before[name][0]
        assert torch.equal(parameter, before[name][1])


def test_its_own_weights_do_not_matter_and_the_seed_does() -> None:
    images = batch()[0]
    one, other = Net(), Net()
    values = [wrcor_ext.score(net, images, proxies=["zen"], seed=s)["zen"].value for net, s in ((one, 0), (other, 0))]
    assert values[0] == values[1] != wrcor_ext.score(one, images, proxies=["zen"], seed=1)["zen"].value


def test_a_batch_norm_that_nothing_reaches_rescales_nothing() -> None:
    class Dead(Net):
        def __init__(self) -> None:
            super().__init__()
            self.dead = nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x + self.dead(x * 0))

    images = batch()[0]
    values = [wrcor_ext.score(net, images, proxies=["zen"])["zen"].value for net in (Net(), Dead())]
    assert values[0] == values[1]


def test_a_feature_map_that_does_not_move_is_degenerate() -> None:
    class Still(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x * 0)

    result = wrcor_ext.score(Still(), batch()[0], proxies=["zen"])["zen"]
    assert result.status == "degenerate"
    assert "does not move" in str(result.detail["reason"])


def test_a_network_that_pools_nothing_is_refused() -> None:
    result = wrcor_ext.score(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), batch()[0], proxies=["zen"])["zen"]
    assert result.status == "failed"
    assert "pools no feature map" in str(result.detail["reason"])
