from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from wrcor_ext import spaces
from wrcor_ext.errors import InputError


def test_unknown_space_is_answered_with_near_names():
    with pytest.raises(InputError, match="unknown space 'nasbench20': did you mean nasbench201"):
        spaces.get("nasbench20")


def test_unknown_option_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match=r"no option 'C': it takes stem_width, cells_per_stage"):
        spaces.get("nasbench201", C=16)


def test_duplicate_name_is_an_error():
    with pytest.raises(ValueError, match="'nasbench201' is registered twice"):
        spaces.register("nasbench201", paper="none")(spaces.NASBench201)


@pytest.fixture(params=spaces.names())
def space(request):
    return spaces.get(request.param)


def test_entry_describes_the_space(space):
    entry = spaces.entry(space.name)
    assert isinstance(space, entry.factory)
    assert entry.summary
    assert entry.paper


def test_text_form_and_key_of_random_architectures(space):
    rng = np.random.default_rng(1)
    for _ in range(50):
        arch = space.sample(rng)
        assert space.parse(space.format(arch)) == arch
        assert hash(arch) == hash(space.parse(space.format(arch)))
        assert space.key(arch) == space.key(space.parse(space.format(arch)))


def test_sampling_and_mutation_follow_the_generator_and_nothing_else(space):
    def walk(seed):
        rng = np.random.default_rng(seed)
        path = [space.sample(rng)]
        for _ in range(20):
            path.append(space.mutate(path[-1], rng))
        return path

    np.random.seed(0)  # noqa: NPY002  the global generator must not matter
    first = walk(5)
    np.random.seed(1)  # noqa: NPY002
    assert walk(5) == first
    assert walk(6) != first
    assert all(child != parent for parent, child in pairwise(first))


def test_limits_hold_for_samples_and_mutations(space):
    rng = np.random.default_rng(2)
    costs = [space.cost(space.sample(rng)) for _ in range(100)]
    limits = spaces.Limits(
        flops=float(np.median([cost.flops for cost in costs])), params=float(np.median([cost.params for cost in costs]))
    )
    arch = space.sample(rng, limits=limits)
    for _ in range(50):
        assert limits.admits(space.cost(arch))
        arch = space.mutate(arch, rng, limits=limits)


def test_built_network_has_the_declared_parameters_and_classes(space):
    arch = space.sample(np.random.default_rng(3))
    model = space.build(arch, num_classes=7, seed=0)
    assert sum(p.numel() for p in model.parameters()) == space.cost(arch, num_classes=7).params
    images = torch.zeros(2, 3, space.default_image_size, space.default_image_size)
    assert model(images).shape == (2, 7)
