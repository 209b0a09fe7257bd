"""Class distances and bundle entropy against loops over images."""

from __future__ import annotations

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

LABELS = torch.tensor([3, 3, 1, 3, 1, 2, 3, 1])


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().double()


def naive_distance(points: list[np.ndarray]) -> float:
    return float(np.mean([[math.sqrt(((a - b) ** 2).sum()) for a in points] for b in points]))


@pytest.mark.parametrize("rule", ["activations", "reference"])
def test_feature_distance_is_that_of_loops(net: Net, rule: Any) -> None:
    images = batch()[0].double()
    found = wrcor_ext.score(net, images, LABELS, proxies=["feature_distance"], rule=rule)["feature_distance"]
    net.train()
    with torch.no_grad():
        x = net.stem(images)
        for cell in net.cells:
            x = cell(x)
    rows = list(x.flatten(1).numpy())
    classes = [[rows[i] for i in range(8) if LABELS[i] == label] for label in (1, 2, 3)]
    between = naive_distance([np.mean(members, axis=0) for members in classes])
    within = float(np.mean([naive_distance(members) for members in classes]))
    assert found.value == pytest.approx(between / within, rel=1e-9)


def test_feature_distance_shares_the_forward_of_the_images() -> None:
    together = plan([proxies.get(name) for name in ("wrcor", "feature_distance")])
    assert (together.forwards, together.backwards) == (1, 1)
    assert proxies.get("feature_distance").needs_labels


def test_feature_distance_does_not_disturb_its_company(net: Net) -> None:
    images, labels = batch()
    alone = wrcor_ext.score(net, images, labels, proxies=["wrcor"])["wrcor"].value
    assert wrcor_ext.score(net, images, labels, proxies=["wrcor", "feature_distance"])["wrcor"].value == alone


def test_classes_of_one_image_have_no_distance_within() -> None:
    net = Net(classes=8)
    result = wrcor_ext.score(net, batch()[0], torch.arange(8), proxies=["feature_distance"])["feature_distance"]
    assert (result.status, result.detail["value"]) == ("degenerate", math.inf)
    assert str(result.detail["reason"]).startswith("no class has two images")


def test_a_model_without_global_pooling_is_told_so_and_others_go_on() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 4))
    scores = wrcor_ext.score(model, *batch(), proxies=["feature_distance", "acor"])
    assert scores["feature_distance"].status == "failed"
    assert str(scores["feature_distance"].detail["reason"]).startswith("Sequential pools no feature map")
    assert scores["acor"].status == "ok"


@pytest.mark.parametrize("name", ["feature_distance", "bundle_entropy"])
def test_labels_that_are_no_classes_are_refused(name: str) -> None:
    def loss(output: Tensor, labels: Tensor) -> Tensor:
        return (output - labels).square().mean()

    result = wrcor_ext.score(Net(), batch()[0], torch.rand(8, 4), proxies=[name], loss=loss)[name]
    assert result.status == "failed"
    assert "the labels are torch.float32 of shape (8, 4)" in str(result.detail["reason"])


class Rounding(nn.Module):
    """Two levels: the first hands its input on, the second makes all images the same."""

    def __init__(self, largest: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([0.5, -largest]))
        self.cells = nn.ModuleList([nn.Identity(), nn.Threshold(1e9, 1.0)])
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        for cell in self.cells:
            x = cell(x)
        return self.activation(x)


def naive_entropy(outputs: np.ndarray, largest: float, labels: np.ndarray, rule: str) -> float:
    n = len(outputs)
    updates = np.float32(largest) - (outputs.astype(np.float32) * np.float32(0.001)) / np.float32(n)
    total, left = 0.0, list(range(n))
    while left:
        bundle = [i for i in left if (updates[i] == updates[left[0]]).all()]
        left = [i for i in left if i not in bundle]
        inside = labels[bundle] if rule == "activations" else np.zeros(n, int)
        if rule == "reference":
            inside[bundle] = labels[bundle]
        kinds, counts = np.unique(inside, return_counts=True)
        shares = counts / len(inside)
        if len(kinds) > 1:
            total += len(bundle) / n * -(shares * np.log(shares + 1e-5)).sum()
    return total


@pytest.mark.parametrize("labels", [[0, 1, 2, 2, 1, 0, 3, 3], [1, 2, 3, 1, 2, 3, 2, 2]])
@pytest.mark.parametrize("rule", ["activations", "reference"])
def test_bundle_entropy_is_that_of_loops(rule: Any, labels: list[int]) -> None:
    # One step of float32 at 2 is 2.4e-7: outputs that differ by less than 1e-3 are one update apart or none.
    outputs = torch.tensor([0.0, 1e-4, 1.0, 1.0, 2.0, 2.0 + 1e-4, 50.0, 1e4])[:, None].repeat(1, 3)
    outputs[3, 2] = 1.5
    model = Rounding(2.0)
    scored = wrcor_ext.score(model, outputs, torch.tensor(labels), proxies=["bundle_entropy"], rule=rule)
    levels = (outputs.numpy(), np.ones((8, 3)))
    truth = [naive_entropy(level, 2.0, np.array(labels), rule) for level in levels]
    assert truth[0] > 0
    assert scored["bundle_entropy"].detail["per_level"] == pytest.approx(truth, rel=1e-12)
    assert scored["bundle_entropy"].value == pytest.approx(-np.mean(truth), rel=1e-12)


def test_images_that_stay_apart_have_no_entropy(net: Net) -> None:
    images, labels = batch()
    right = wrcor_ext.score(net, images, labels, proxies=["bundle_entropy"])["bundle_entropy"]
    published = wrcor_ext.score(net, images, labels, proxies=["bundle_entropy"], rule="reference")["bundle_entropy"]
    assert right.value == 0
    assert published.value < -0.1


def test_bundles_are_those_of_eval_mode(net: Net) -> None:
    seen = []
    net.cells[0][0].register_forward_hook(lambda module, args, out: seen.append(module.training))
    wrcor_ext.score(net, *batch(), proxies=["bundle_entropy"])
    assert seen == [False]


def test_bundle_entropy_needs_levels_of_finite_tensors(net: Net) -> None:
    images, labels = batch()
    flat = wrcor_ext.score(net, images, labels, proxies=["bundle_entropy"], levels="flat")["bundle_entropy"]
    assert (flat.status, flat.detail["reason"]) == ("failed", "Net has no levels: give levels=")
    pair = nn.Sequential(nn.Identity(), nn.Linear(4, 4))
    pair.register_forward_hook(lambda module, args, out: (out, out))

    class Tupled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells = nn.ModuleList([pair])

        def forward(self, x: Tensor) -> Tensor:
            return self.cells[0](x)[0]

    tupled = wrcor_ext.score(Tupled(), torch.randn(8, 4), labels, proxies=["bundle_entropy"])["bundle_entropy"]
    assert tupled.status == "failed"
    assert "a level (Sequential) hands on no tensor" in str(tupled.detail["reason"])
