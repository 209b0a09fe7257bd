"""Peak memory of activations and layers of random architectures against the graphs of the networks themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers.held import held, layers

from wrcor_ext import spaces
from wrcor_ext.cost import count
from wrcor_ext.errors import InputError
from wrcor_ext.spaces import Limits, Space


def small_cells(rng: np.random.Generator) -> dict[str, Any]:
    """Options under which now this part of a network is the fullest, now that."""
    return {
        "stem_width": int(rng.integers(5, 9)),
        "num_classes": int(rng.integers(1, 400)),
        "image_size": 4 * int(rng.integers(1, 9)),
    }


def nasbench201(rng: np.random.Generator) -> Space[Any]:
    options = {"cells_per_stage": int(rng.integers(1, 3)), "batch_norm": bool(rng.integers(2))}
    return spaces.get("nasbench201", **small_cells(rng), **options)


def nasbench101(rng: np.random.Generator) -> Space[Any]:
    options = {"stacks": int(rng.integers(1, 4)), "cells_per_stack": int(rng.integers(1, 3))}
    return spaces.get("nasbench101", **small_cells(rng), **options)


def mobilenetv2(rng: np.random.Generator) -> Space[Any]:
    resolution = int(rng.choice([32, 64, 96, 224]))  # at small ones the head or the classifier is the fullest
    return spaces.get("mobilenetv2", resolution=resolution, num_classes=int(rng.integers(1, 20_000)))


def channelbench(rng: np.random.Generator) -> Space[Any]:
    return spaces.get("channelbench_mobilenet", image_size=int(rng.integers(4, 50)), num_classes=10)


def nasbench_macro(rng: np.random.Generator) -> Space[Any]:
    return spaces.get("nasbench_macro", image_size=int(rng.integers(8, 50)), num_classes=10)


@pytest.mark.parametrize("draw", [nasbench201, nasbench101, mobilenetv2, channelbench, nasbench_macro])
@pytest.mark.parametrize("networks", [8, pytest.param(60, marks=pytest.mark.slow)])
def test_what_the_forward_holds(draw, networks):
    rng = np.random.default_rng(networks)
    for place in range(networks):
        space = draw(rng)
        arch, size = space.sample(rng), space.default_image_size
        with torch.device("meta"):
            model = space.build(arch).eval()
        found = space.cost(arch)
        assert (found.memory, found.layers) == (held(model, size), layers(model)), (arch, vars(space))
        if place < 3:
            assert count(model, (3, size, size)) == found


@pytest.mark.parametrize("name", spaces.names())
def test_limits_on_memory_and_layers_hold(name):
    space, rng = spaces.get(name), np.random.default_rng(3)
    costs = [space.cost(space.sample(rng)) for _ in range(60)]
    limits = Limits(
        memory=float(np.median([cost.memory for cost in costs])),
        layers=float(np.quantile([cost.layers for cost in costs], 0.8)),
    )
    arch = space.sample(rng, limits=limits)
    for _ in range(20):
        cost = space.cost(arch)
        assert cost.memory <= limits.memory
        assert cost.layers <= limits.layers
        try:
            arch = space.mutate(arch, rng, limits=limits)
        except InputError:  # no neighbour keeps them
            arch = space.sample(rng, limits=limits)


@pytest.mark.parametrize("name", spaces.names())
def test_limits_that_nobody_keeps_name_the_smallest(name):
    space, rng = spaces.get(name), np.random.default_rng(4)
    with pytest.raises(InputError, match=r"memory <= 9 and layers <= 999: the smallest had \d+ bytes of "):
        space.sample(rng, limits=Limits(memory=9, layers=999))
