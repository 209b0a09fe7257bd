"""The network against what the paper's description says, layer by layer, in plain functions."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import wrcor_ext
from wrcor_ext.spaces.mobilenetv2 import MobileNetV2
from wrcor_ext.spaces.nets.mobilenetv2 import RELU, SqueezeExcite

SPACE = MobileNetV2()
SMALL = SPACE.parse(
    "SuperConvK3BNRELU(3,8,2,1)SuperResIDWE1K3(8,8,2,8,1)SuperResIDWE2K5(8,16,1,8,2)SuperResIDWE1K7(16,16,2,12,2)"
    "SuperResIDWE4K3(16,8,1,8,3)SuperResIDWE1K5(8,24,2,16,1)SuperResIDWE6K3(24,24,1,8,2)SuperResIDWE1K3(24,16,2,8,1)"
    "SuperConvK1BNRELU(16,24,1,1)@64"
)


def images(size, seed=0):
    return torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def described(model, arch, x):
    """The logits by the description, from the parameters of `model` taken in order."""
    parameters = iter(model.parameters())

    def convolution(x, kernel, stride=1, groups=1, *, bias=False):
        weight = next(parameters)
        assert weight.shape[-1] == kernel
        return F.conv2d(x, weight, next(parameters) if bias else None, stride, kernel // 2, groups=groups)

    def norm(x):
        mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, unbiased=False)
        weight, bias = (next(parameters).view(1, -1, 1, 1) for _ in range(2))
        return (x - mean) / torch.sqrt(var + 1e-3) * weight + bias

    def squeeze_excite(x):
        gate = norm(convolution(x.mean((2, 3), keepdim=True), 1)).relu()
        assert gate.shape[1] == x.shape[1] // 4
        return x * norm(convolution(gate, 1)).sigmoid()

    x = F.interpolate(x, (arch.resolution, arch.resolution), mode="bilinear")
    x = norm(convolution(x, 3, 2)).relu()
    for block in arch.blocks:
        for layer in range(block.layers):
            stride = block.stride if layer == 0 else 1
            inner = norm(convolution(x, 1)).relu()
            assert inner.shape[1] == (block.bottleneck * block.expansion + 4) // 8 * 8
            inner = squeeze_excite(norm(convolution(inner, block.kernel, stride, inner.shape[1])).relu())
            residual = norm(convolution(inner, 1))
            shortcut = norm(convolution(x, 1, stride, bias=True)) if layer == 0 else x
            x = (residual + shortcut).relu()
    x = norm(convolution(x, 1)).relu()
    logits = F.linear(x.mean((2, 3)), next(parameters), next(parameters))
    assert next(parameters, None) is None
    return logits


@pytest.mark.parametrize("size", [64, 37, 100])
def test_forward_and_gradients_are_those_of_the_description(size):
    model = SPACE.build(SMALL, num_classes=5, seed=1).double()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:  # batch-norms that do something
                parameter.add_(torch.rand_like(parameter))
    x, weights = images(size), list(model.parameters())
    actual, expected = model(x), described(model, SMALL, x)
    torch.testing.assert_close(actual, expected)
    labels = torch.tensor([0, 1, 2, 3])
    gradients = [torch.autograd.grad(F.cross_entropy(logits, labels), weights) for logits in (actual, expected)]
    torch.testing.assert_close(*gradients, atol=1e-9, rtol=1e-6)


def test_images_of_the_right_size_are_not_resized():
    model = SPACE.build(SMALL, num_classes=5, seed=1).double().eval()
    wide = F.interpolate(images(64), (64, 128), mode="bilinear")
    assert model(wide).shape == (4, 5)
    torch.testing.assert_close(model(images(64)), model(F.interpolate(images(64), (64, 64), mode="bilinear")))


def test_batch_norms_have_the_published_epsilon():
    model = SPACE.build(SMALL, num_classes=5)
    assert {module.eps for module in model.modules() if isinstance(module, nn.BatchNorm2d)} == {1e-3}


def test_reference_rule_sees_the_relus_of_squeeze_excite_only():
    model = SPACE.build(SMALL, num_classes=5, seed=0)
    layers = sum(block.layers for block in SMALL.blocks)
    seen = [m for m in model.modules() if "ReLU" in type(m).__name__]
    assert len(seen) == len([m for m in model.modules() if isinstance(m, SqueezeExcite)]) == layers
    assert len([m for m in model.modules() if isinstance(m, RELU)]) == 3 * layers + 2
    labels = torch.arange(4) % 5
    reference, all_calls = (
        wrcor_ext.score(model, images(64).float(), labels, rule=rule)["wrcor"] for rule in ("reference", "activations")
    )
    # An activation and a gradient response per call; the levels are stem, blocks and head.
    assert reference.detail["used"] + reference.detail["skipped"] == 2 * layers
    assert all_calls.detail["used"] + all_calls.detail["skipped"] == 2 * (5 * layers + 2)
    assert reference.detail["levels"] == all_calls.detail["levels"] == 9


def test_seed_decides_the_weights_and_leaves_the_global_generator():
    state = torch.get_rng_state()
    one, same, other = (SPACE.build(SMALL, num_classes=5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    pairs = list(zip(one.parameters(), same.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)


def test_published_networks_build_and_run():
    for name in ("evolution_vote_600m", "zennet_400m"):
        model = SPACE.build(replace(SPACE.parse(name), resolution=32), seed=0)
        assert model(torch.zeros(2, 3, 48, 48)).shape == (2, 1000)
