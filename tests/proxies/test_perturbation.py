"""Perturbation proxies against direct computations on copies of a small network."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers.small_net import Net, batch
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext import proxies
from wrcor_ext.plan import plan

PHI = ("phi_score", "phi_score_bn", "phi_score_with_data", "phi_score_with_data_bn")
ZEN = ("zen_score", "zen_score_with_data", "zen_score_cossim", "zen_score_with_data_cossim")
ALL = (*PHI, *ZEN, "ssl_score")


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().double()


def features(model: Net, images: Tensor) -> np.ndarray:
    """What `Net` averages over both spatial dimensions, with batch-norms in train mode."""
    model.train()
    with torch.no_grad():
        x = model.stem(images)
        for cell in model.cells:
            x = cell(x)
    return x.numpy()


def without_norms(model: Net) -> Net:
    bare = copy.deepcopy(model)
    for cell in bare.cells:
        cell[0] = nn.Identity()
    return bare


def draws(images: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.zeros_like(images).normal_(), torch.zeros_like(images).normal_()


def naive_cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / (math.sqrt(a @ a) * math.sqrt(b @ b)))


def naive(model: Net, images: Tensor, seed: int) -> dict[str, float]:
    first, second = draws(images, seed)
    bare, truth = without_norms(model), {}
    for suffix, point, noise in (("", first, second), ("_with_data", images, first)):
        moved_to = point + 0.01 * noise
        truth[f"phi_score{suffix}"] = float(np.abs(features(bare, moved_to) - features(bare, point)).sum())
        fresh = copy.deepcopy(model)
        for cell in fresh.cells:
            cell[0].running_mean.zero_()
            cell[0].running_var.fill_(1)
        moved, still = features(fresh, moved_to), features(fresh, point)
        phi = float(np.abs(moved - still).sum())
        truth[f"phi_score{suffix}_bn"] = phi
        scales = [math.log(math.sqrt(cell[0].running_var.mean()) + 1e-6) for cell in fresh.cells]
        truth[f"zen_score{suffix}"] = math.log(phi + 1e-6) + sum(scales)
        pairs = list(zip(moved, still, strict=True))
        if suffix:
            positions = [(a[:, i, j], b[:, i, j]) for a, b in pairs for i in range(8) for j in range(8)]
            truth["zen_score_with_data_cossim"] = sum(abs(naive_cosine(a, b)) for a, b in positions)
        else:
            truth["zen_score_cossim"] = sum(abs(naive_cosine(a.ravel(), b.ravel())) for a, b in pairs)
    views = [features(model, images + 0.01 * noise).reshape(len(images), -1) for noise in (first, second)]
    a, b = ((v - v.mean(0)) / np.sqrt(v.var(0) + 1e-5) for v in views)
    c = a.T @ b / len(images)
    diagonal = np.diag(c)
    truth["ssl_score"] = -(((diagonal - 1) ** 2).sum() + 0.005 * ((c**2).sum() - (diagonal**2).sum()))
    return truth


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("rule", ["activations", "reference"])
def test_values_are_those_of_a_direct_computation(net: Net, seed: int, rule: Any) -> None:
    images = batch()[0].double()
    scores = wrcor_ext.score(net, images, proxies=ALL, rule=rule, seed=seed)
    truth = naive(net, images, seed)
    assert set(truth) == set(ALL)
    for name, value in truth.items():
        assert scores[name].status == "ok", (name, scores[name])
        assert scores[name].value == pytest.approx(value, rel=1e-9), name


def test_a_seed_decides_the_noise(net: Net) -> None:
    images = batch()[0].double()
    one, again, other = (wrcor_ext.score(net, images, proxies=ALL, seed=seed) for seed in (3, 3, 4))
    for name in ALL:
        assert one[name].value == again[name].value
        assert one[name].value != other[name].value
        assert not proxies.get(name).deterministic


def test_values_do_not_depend_on_company_history_or_layout(net: Net) -> None:
    images, labels = batch()
    images = images.double()
    together = wrcor_ext.score(net, images, labels, proxies=("wrcor", *ALL, "jacob_cor"))
    net.train()
    net(images * 3)  # changes the running statistics
    strided = images.to(memory_format=torch.channels_last)
    for name in ALL:
        alone = wrcor_ext.score(net, strided, proxies=[name])[name]
        assert alone.value == pytest.approx(together[name].value, rel=1e-9), name


def test_equal_passes_are_run_once() -> None:
    shared = ["phi_score_bn", "zen_score", "zen_score_cossim"]
    assert plan([proxies.get(name) for name in shared]).explain() == [
        "2 forwards of noise and of perturbed noise: phi_score_bn, zen_score, zen_score_cossim",
        "together 2 forwards",
    ]
    assert plan([proxies.get(name) for name in ALL]).forwards == 10


@pytest.mark.parametrize("name", ALL)
def test_a_model_without_global_pooling_is_told_so(name: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
    images = batch()[0]
    model(images)
    result = wrcor_ext.score(model, images, proxies=[name])[name]
    assert result.status == "failed"
    assert result.detail == {"reason": "Sequential pools no feature map [N, C, H, W] to one number per channel"}


def test_whole_numbers_cannot_be_perturbed() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    tokens = torch.arange(24).view(8, 3) % 5
    result = wrcor_ext.score(model, tokens, proxies=["zen_score"])["zen_score"]
    assert result.status == "failed"
    assert "images of torch.int64 cannot be perturbed" in str(result.detail["reason"])


def test_a_network_that_overflows_is_degenerate() -> None:
    model = Net()
    with torch.no_grad():
        model.cells[0][2].weight.fill_(1e30)
        model.cells[1][2].weight.fill_(1e30)
    scores = wrcor_ext.score(model, batch()[0], proxies=["phi_score", "phi_score_bn"])
    assert scores["phi_score"].status == "degenerate"
    assert scores["phi_score"].detail["reason"] == "the feature map before global pooling is not finite"
    assert scores["phi_score_bn"].status == "ok"


def test_zen_needs_running_statistics(net: Net) -> None:
    net.cells[1][0] = nn.BatchNorm2d(6, track_running_stats=False).double()
    scores = wrcor_ext.score(net, batch()[0], proxies=["zen_score", "phi_score_bn"])
    assert scores["zen_score"].status == "degenerate"
    assert "keeps no running statistics" in str(scores["zen_score"].detail["reason"])
    assert scores["phi_score_bn"].status == "ok"


def test_a_network_of_zeros_has_published_values() -> None:
    """Features that are all zero: no distance, no similarity, and D features that miss the correlation of one."""
    model = Net()
    with torch.no_grad():
        model.cells[-1][2].weight.zero_()
        model.cells[-1][2].bias.zero_()
    scores = wrcor_ext.score(model, batch()[0], proxies=ALL)
    assert scores["phi_score_bn"].value == scores["zen_score_cossim"].value == 0
    assert scores["ssl_score"].value == -6 * 8 * 8
    assert math.isfinite(scores["zen_score"].value)
