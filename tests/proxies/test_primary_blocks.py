"""The proxies of AZ-NAS against numpy's spectra, and networks whose Jacobians are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.small_net import Net, batch
from torch import Tensor, nn

import wrcor_ext

BLOCKS = ["expressivity", "progressivity", "trainability"]


def entropy(features: Tensor) -> float:
    rows = features.detach().movedim(1, -1).flatten(0, -2).numpy()
    values = np.linalg.eigvalsh(np.cov(rows, rowvar=False))
    return float(-sum(p * np.log(p) for p in values / values.sum() if p > 0))


def test_entropies_of_the_blocks_features() -> None:
    torch.manual_seed(0)
    net, (images, _) = Net(levels=4).double(), batch()
    x = net.stem(images.double())
    entropies = []
    for cell in net.cells:
        x = cell(x)
        entropies.append(entropy(x))
    scores = wrcor_ext.score(net, images.double(), proxies=["expressivity", "progressivity"])
    assert scores["expressivity"].value == pytest.approx(sum(entropies), rel=1e-6)
    assert scores["progressivity"].value == pytest.approx(np.diff(entropies).min(), rel=1e-6)
    assert scores["expressivity"].detail["blocks"] == 4


def test_more_channels_than_positions() -> None:
    torch.manual_seed(0)
    model, images = (
        nn.Sequential(nn.Conv2d(3, 80, 1), nn.Conv2d(80, 90, 1)).double(),
        batch(2)[0][:, :, :4, :4].double(),
    )
    first = model[0](images)
    scores = wrcor_ext.score(model, images, proxies=["expressivity"])
    assert scores["expressivity"].value == pytest.approx(entropy(first) + entropy(model[1](first)), rel=1e-6)


class Blocks(nn.Module):
    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.cells = nn.ModuleList(blocks)
        self.head = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        for cell in self.cells:
            x = cell(x)
        return self.head(x.mean((2, 3)))


def linear(weight: Tensor, stride: int = 1) -> nn.Conv2d:
    """A convolution without padding whose patches are as large as its stride."""
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], stride, stride, bias=False)
    layer.weight.data = weight.reshape(layer.weight.shape).clone()
    return layer


@pytest.mark.parametrize("stride", [1, 2])
def test_trainability_of_linear_blocks_is_that_of_their_matrices(stride: int) -> None:
    torch.manual_seed(0)
    weight = torch.randn(5, 3, stride, stride)
    model = Blocks(nn.Identity(), linear(weight, stride), linear(torch.randn(3, 5)))
    matrices = [weight.flatten(1), model.cells[2].weight.detach().flatten(1)]
    truth = np.mean([2 - s - 1 / s for s in (np.linalg.norm(m.numpy(), 2) for m in matrices)])
    images = torch.randn(64, 3, 32, 32)  # many positions: the estimate from random signs is close
    assert wrcor_ext.score(model, images, proxies=["trainability"])["trainability"].value == pytest.approx(truth, 0.02)


def test_trainability_follows_the_estimate_to_the_letter() -> None:
    torch.manual_seed(0)
    net, (images, _) = Net(levels=3).double(), batch()
    images = images.double()
    generator = torch.Generator().manual_seed(7)
    x, terms = net.stem(images), []
    for i, cell in enumerate(net.cells):
        leaf = x.detach().requires_grad_()
        x = cell(leaf)
        signs = torch.randint(2, x.shape, generator=generator, dtype=torch.int8).double() * 2 - 1
        (g,) = torch.autograd.grad(x, leaf, signs)
        if i > 0:
            s = np.linalg.svd(np.einsum("nihw,nohw->io", g.numpy(), signs.numpy()) / (8 * 64), compute_uv=False)[0]
            terms.append(2 - s - 1 / s)
    result = wrcor_ext.score(net, images, proxies=["trainability"], seed=7)["trainability"]
    assert result.value == pytest.approx(np.mean(terms), rel=1e-9)


def test_a_block_that_overwrites_its_input_and_one_that_is_overwritten() -> None:
    def model(in_place: bool) -> nn.Module:
        torch.manual_seed(0)
        return Blocks(nn.Conv2d(3, 3, 3), *(nn.Sequential(nn.ReLU(in_place), nn.Conv2d(3, 3, 3)) for _ in range(2)))

    one, other = (wrcor_ext.score(model(flag), batch()[0], proxies=BLOCKS) for flag in (True, False))
    assert {n: r.value for n, r in one.items()} == {n: r.value for n, r in other.items()}


def test_the_last_activation_of_a_network_is_no_block() -> None:
    class Ending(Blocks):
        def __init__(self) -> None:
            super().__init__(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3))
            self.lastact = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(inplace=True))

        def forward(self, x: Tensor) -> Tensor:
            for cell in self.cells:
                x = cell(x)
            return self.head(self.lastact(x).mean((2, 3)))

    assert wrcor_ext.score(Ending(), batch()[0], proxies=["expressivity"])["expressivity"].detail["blocks"] == 2


def test_complexity_is_the_number_of_multiply_adds() -> None:
    scores = wrcor_ext.score(Net(), batch()[0], proxies=["complexity", "flops"])
    assert scores["complexity"].value == scores["flops"].value


def test_networks_without_blocks_or_with_one() -> None:
    images, _ = batch()
    for result in wrcor_ext.score(Net(), images, proxies=BLOCKS, levels="flat").values():
        assert result.status == "failed"
        assert "no blocks" in str(result.detail["reason"])
    one = wrcor_ext.score(Net(levels=1), images, proxies=BLOCKS)
    assert one["expressivity"].status == "ok"
    assert [one[n].status for n in BLOCKS[1:]] == ["degenerate", "failed"]
    assert all("one block only" in str(one[n].detail["reason"]) for n in BLOCKS[1:])


def test_features_that_do_not_vary_are_degenerate() -> None:
    net = Net()
    with torch.no_grad():
        net.cells[1][2].weight.zero_()
    for name, result in wrcor_ext.score(net, batch()[0], proxies=BLOCKS).items():
        assert result.status == "degenerate", name
