"""Costs against the networks themselves (torch's FLOP counter, real parameters) and against the published numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.counted import counted, flops_and_params

from wrcor_ext.errors import InputError
from wrcor_ext.spaces import Cost
from wrcor_ext.spaces.mobilenetv2 import MobileNetV2

SPACE = MobileNetV2()


@pytest.mark.parametrize("networks", [20, pytest.param(180, marks=pytest.mark.slow)])
def test_exact_cost_is_what_the_network_takes(networks):
    rng = np.random.default_rng(networks)
    for _ in range(networks):
        arch, classes, image_size = SPACE.sample(rng), int(rng.integers(1, 1500)), int(rng.integers(16, 400))
        expected = counted(SPACE, arch, num_classes=classes, image_size=image_size)
        assert SPACE.cost(arch, num_classes=classes) == MobileNetV2(num_classes=classes).cost(arch)
        assert flops_and_params(SPACE.cost(arch, num_classes=classes)) == expected, arch


def test_exact_cost_of_the_published_architectures():
    for name in SPACE.published:
        arch = SPACE.parse(name)
        assert flops_and_params(SPACE.cost(arch)) == counted(SPACE, arch, num_classes=1000, image_size=224), name
    small = replace(arch, resolution=32)  # the head works on one pixel
    assert flops_and_params(SPACE.cost(small, num_classes=1)) == counted(SPACE, small, num_classes=1, image_size=32)


def test_published_flops_and_parameters():
    cost = SPACE.cost(SPACE.parse("evolution_vote_600m"), counting="published")
    assert flops_and_params(cost) == Cost(flops=591_710_478, params=10_807_432)


def test_published_counting_by_hand():
    # One layer per block at width 8, kernel 3, bottleneck 8 and expansion 1, 32 pixels, one class.
    block = "SuperResIDWE1K3(8,8,{},8,1)"
    strides = (2, 2, 1, 2, 1, 2, 1)
    text = "SuperConvK3BNRELU(3,8,2,1)" + "".join(map(block.format, strides)) + "SuperConvK1BNRELU(8,8,1,1)@32"
    expected, side = (27 * 8 + 8) * 16**2 + (64 + 8) * 1 + 8, 16
    for stride in strides:
        out = side // stride
        expected += (64 + 8) * side**2 + (9 * 8 + 8) * out**2 + (64 + 8) * out**2  # convolutions with batch-norm
        expected += 2 * 8 * 2 + 8 + 8 * out**2  # squeeze-excite
        expected += (64 + 8) * out**2 // stride**2  # the shortcut, counted too small
        side = out
    assert SPACE.cost(SPACE.parse(text), counting="published", num_classes=1).flops == expected


def test_the_size_of_the_images_does_not_matter():
    arch = SPACE.parse("mobilenetv2")
    assert SPACE.cost(arch, image_size=32) == SPACE.cost(arch)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"num_classes": 0}, "num_classes=0 is not a whole number of at least 1"),
        ({"num_classes": 2.0}, "num_classes=2.0"),
        ({"image_size": 0}, "image_size=0"),
        ({"counting": "thop"}, "counting='thop' is not one of exact, published"),
    ],
)
def test_bad_options_are_refused(options, what):
    with pytest.raises(InputError, match=what):
        SPACE.cost(SPACE.parse("mobilenetv2"), **options)
    if "num_classes" in options:
        with pytest.raises(InputError, match=what):
            MobileNetV2(**options)
        with pytest.raises(InputError, match=what):
            SPACE.build(SPACE.parse("mobilenetv2"), **options)
