"""`gradsign`, `ntk_condition` and `linear_regions` against loops over images, with batch-norms written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.small_net import Net, batch
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext.errors import InputError
from wrcor_ext.measurements import single_images
from wrcor_ext.measurements.frozen_norms import FrozenNorms


def frozen(net: Net, images: Tensor) -> Any:
    """The network as a function of single images, with the batch's means and variances as numbers."""
    statistics = []
    with torch.no_grad():
        x = net.stem(images)
        for cell in net.cells:
            statistics.append((x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)))
            x = cell(x)

    def forward(image: Tensor) -> Tensor:
        x = net.stem(image[None])
        for cell, (mean, variance) in zip(net.cells, statistics, strict=True):
            norm = cell[0]
            x = (x - mean) / (variance + norm.eps).sqrt()
            x = x * norm.weight[:, None, None] + norm.bias[:, None, None]
            x = F.gelu(cell[2](x.relu()))
        return net.head(x.mean((2, 3)))

    return forward


def gradients(net: Net, scalars: list[Tensor]) -> np.ndarray:
    rows = [torch.autograd.grad(s, list(net.parameters())) for s in scalars]
    return np.stack([np.concatenate([g.numpy().ravel() for g in row]) for row in rows])


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().double()


def test_gradsign(net: Net) -> None:
    images, labels = batch()
    images = images.double()
    forward = frozen(net, images)
    losses = [F.cross_entropy(forward(x), y[None]) for x, y in zip(images, labels, strict=True)]
    truth = np.abs(np.sign(gradients(net, losses)).sum(0)).sum()
    assert wrcor_ext.score(net, images, labels, proxies=["gradsign"])["gradsign"].value == truth


@pytest.mark.parametrize("held", [single_images._HELD_VALUES, 2000])
def test_ntk_condition_however_many_gradients_are_held(net: Net, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_images, "_HELD_VALUES", held)
    images = batch()[0].double()
    forward = frozen(net, images)
    rows = gradients(net, [forward(x).sum() for x in images])
    values = np.linalg.eigvalsh(rows @ rows.T)
    result = wrcor_ext.score(net, images, proxies=["ntk_condition"])["ntk_condition"]
    assert result.value == pytest.approx(values[-1] / values[0], rel=1e-6)


def test_images_with_the_same_gradients_make_the_kernel_singular(net: Net) -> None:
    images = batch()[0].double()
    images[1] = images[0]
    result = wrcor_ext.score(net, images, proxies=["ntk_condition"])["ntk_condition"]
    assert result.status == "degenerate"
    assert "the same gradients" in str(result.detail["reason"])


def test_single_images_give_what_they_give_in_their_batch() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.norm(self.norm(x).relu())
            return F.batch_norm(x * x, None, None, training=True)

    model, images = Twice().double(), batch()[0].double()
    truth = model(images)
    with FrozenNorms() as norms:
        assert torch.equal(model(images), truth)
        for image, expected in zip(images, truth, strict=True):
            norms.restart()
            torch.testing.assert_close(model(image[None])[0], expected)


def test_outputs_that_depend_on_no_parameter_have_the_gradient_zero() -> None:
    class Detached(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).detach()

    scores = wrcor_ext.score(Detached(), *batch(), proxies=["gradsign", "ntk_condition", "zico"])
    assert scores["gradsign"].value == 0
    assert scores["ntk_condition"].status == scores["zico"].status == "degenerate"


def test_what_is_refused() -> None:
    images, labels = batch()
    model = nn.Sequential(nn.ReLU(), nn.Flatten())
    for result in wrcor_ext.score(model, images, labels, proxies=["gradsign", "ntk_condition"]).values():
        assert result.status == "failed"
        assert "no parameters" in str(result.detail["reason"])
    with pytest.raises(InputError, match="label"):
        wrcor_ext.score(Net(), images, proxies=["gradsign"])


def test_linear_regions_counts_distinct_patterns() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU())
    images = torch.randn(60, 2)
    first = model[0](images)
    second = model[2](first.relu())
    patterns = {tuple(row) for row in torch.cat([first > 0, second > 0], 1).tolist()}
    result = wrcor_ext.score(model, images, proxies=["linear_regions"])["linear_regions"]
    assert 1 < result.value == len(patterns) < 60


class Layers(nn.Module):
    """Every kind of layer whose gradients of single images are known, with strides, groups and positions."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4),
            nn.GroupNorm(2, 8),
            nn.SiLU(),
            nn.Flatten(2),
            nn.Conv1d(8, 6, 2),
            nn.BatchNorm1d(6, affine=False),
            nn.Linear(15, 10),
            nn.LayerNorm([6, 10]),
            nn.Tanh(),
            nn.Unflatten(1, (2, 1, 3)),
            nn.Conv3d(2, 4, (1, 2, 3)),
            nn.Flatten(),
            nn.Linear(64, 7),
            nn.BatchNorm1d(7),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class Raw(Net):
    """With a parameter that is no layer's."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.rand(4))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale


class Twice(Net):
    """With a layer that runs twice."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.cells[0](self.stem(x))[:, :3])


class PositionsFirst(Net):
    """With a layer that sees as many positions as there are images where it should see images."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.cells[0](self.stem(x)).flatten(2)[:, :, :8].permute(2, 0, 1)
        return self.head(x).tanh().mean(0)


class Mixing(Net):
    """With images that see each other."""

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x)
        return x * x.flip(0) if len(x) > 1 else x


MODELS = {Net: True, Layers: True, Raw: False, Twice: False, PositionsFirst: False, Mixing: False}


@pytest.mark.parametrize("model", MODELS)
def test_images_at_once_give_what_they_give_one_by_one(model: type[nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    net, (images, labels) = model().double(), batch()
    names, images = ["gradsign", "ntk_condition"], images.double()
    original, answers = single_images._at_once, []
    monkeypatch.setattr(single_images, "_at_once", lambda *args: answers.append(original(*args)) or answers[0])
    scores = wrcor_ext.score(net, images, labels, proxies=names)
    assert answers == [MODELS[model]]
    monkeypatch.setattr(single_images, "_at_once", lambda *args: False)
    one_by_one = wrcor_ext.score(net, images, labels, proxies=names)
    assert scores["gradsign"].value == one_by_one["gradsign"].value
    assert scores["ntk_condition"].value == pytest.approx(one_by_one["ntk_condition"].value, rel=1e-9)


def test_gradients_that_are_not_finite_have_no_sign(net: Net) -> None:
    images, labels = batch()
    loss = lambda output, labels: F.cross_entropy(output, labels) + output.sum() * torch.inf  # noqa: E731
    result = wrcor_ext.score(net, images.double(), labels, proxies=["gradsign"], loss=loss)["gradsign"]
    assert result.status == "degenerate"
    assert "no sign" in str(result.detail["reason"])
