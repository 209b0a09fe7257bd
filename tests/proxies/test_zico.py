"""`zico` against its definition, weight by weight."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.small_net import Net, batch
from torch import nn

import wrcor_ext
from wrcor_ext.errors import InputError


@pytest.mark.parametrize("n", [8, 7])
def test_it_is_the_papers_definition(n: int) -> None:
    torch.manual_seed(0)
    net, (images, labels) = Net().double(), batch(n)
    images = images.double()
    weights = [m.weight for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    halves = [
        torch.autograd.grad(F.cross_entropy(net(images[part]), labels[part]), weights)
        for part in (slice(0, n // 2), slice(n // 2, n))
    ]
    total = 0.0
    for one, other in zip(*halves, strict=True):
        pairs = np.abs(np.stack([one.numpy().ravel(), other.numpy().ravel()]))
        total += math.log(sum(float(np.mean(g) / np.std(g)) for g in pairs.T if np.std(g) > 0))
    assert wrcor_ext.score(net, images, labels, proxies=["zico"])["zico"].value == pytest.approx(total, rel=1e-6)


def test_two_equal_halves_are_degenerate() -> None:
    images, labels = batch(4)
    result = wrcor_ext.score(Net(), images.repeat(2, 1, 1, 1), labels.repeat(2), proxies=["zico"])["zico"]
    assert result.status == "degenerate"
    assert "between the halves" in str(result.detail["reason"])


def test_a_network_without_weights_and_a_batch_without_labels_are_refused() -> None:
    images, labels = batch()
    result = wrcor_ext.score(nn.Sequential(nn.ReLU(), nn.Flatten()), images, labels, proxies=["zico"])["zico"]
    assert result.status == "failed"
    assert "no convolution" in str(result.detail["reason"])
    with pytest.raises(InputError, match="label"):
        wrcor_ext.score(Net(), images, proxies=["zico"])
