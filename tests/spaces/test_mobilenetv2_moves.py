"""Sampling and mutation: ranges, the chain of widths, limits, and the distribution."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from wrcor_ext.errors import InputError
from wrcor_ext.spaces import Limits
from wrcor_ext.spaces.mobilenetv2 import MobileNetV2
from wrcor_ext.spaces.mobilenetv2_draw import MAX_DRAWS, Draws

SPACE = MobileNetV2()

# The published ranges, first and last value: widths c0 to c8, then block by block.
WIDTHS = [(16, 48)] * 3 + [(32, 64), (48, 96), (80, 256), (80, 256), (128, 512), (128, 1536)]
BOTTLENECKS = [(16, 48)] * 3 + [(32, 64), (48, 96), (80, 256), (80, 256)]
LAYERS = [(1, 2), (2, 3), (2, 3), (2, 4), (2, 6), (2, 6), (1, 2)]


def widths(arch):
    return [arch.stem, *(block.out_width for block in arch.blocks), arch.head]


def assert_in_ranges(arch):
    blocks = arch.blocks
    assert [block.in_width for block in blocks] == widths(arch)[:7]
    for values, ranges, step in (
        (widths(arch), WIDTHS, 8),
        ([block.bottleneck for block in blocks], BOTTLENECKS, 8),
        ([block.layers for block in blocks], LAYERS, 1),
        ([arch.resolution], [(192, 320)], 32),
    ):
        assert all(
            low <= value <= high and value % step == 0 for value, (low, high) in zip(values, ranges, strict=True)
        )
    assert {block.expansion for block in blocks} <= {1, 2, 4, 6}
    assert {block.kernel for block in blocks} <= {3, 5, 7}
    assert sorted(block.stride for block in blocks) == [1, 1, 1, 2, 2, 2, 2]


def numbers(arch):
    """Everything in an architecture by name: the widths that blocks share once."""
    named = {"resolution": arch.resolution} | {f"c{i}": width for i, width in enumerate(widths(arch))}
    for i, block in enumerate(arch.blocks):
        for name in ("expansion", "kernel", "stride", "bottleneck", "layers"):
            named[f"{name}{i}"] = getattr(block, name)
    return named


def test_samples_are_in_the_published_ranges():
    rng = np.random.default_rng(0)
    archs = [SPACE.sample(rng) for _ in range(500)]
    for arch in archs:
        assert_in_ranges(arch)
    assert {arch.head for arch in archs} >= {128, 1536}
    assert len({tuple(block.stride for block in arch.blocks) for arch in archs}) == 35


def test_every_choice_is_uniform():
    rng = np.random.default_rng(1)
    draws = Draws.random(rng, 7_000)
    columns = [draws.resolutions[:, 0], *draws.widths.T, *draws.bottlenecks.T, *draws.layers.T]
    for column in (*columns, *draws.expansions.T, *draws.kernels.T):
        counts = Counter(column.tolist())
        # Binomial deviations from the mean; five of them.
        mean = len(column) / len(counts)
        assert all(abs(count - mean) < 5 * mean**0.5 for count in counts.values())
    strides = Counter(map(tuple, draws.strides.tolist()))
    assert len(strides) == 35
    assert all(abs(count - 200) < 5 * 200**0.5 for count in strides.values())


def test_samples_within_limits_are_distributed_as_by_plain_rejection():
    limits = Limits(flops=400e6, params=6e6)
    rng = np.random.default_rng(2)
    plain = [arch for arch in (SPACE.sample(rng) for _ in range(3_000)) if limits.admits(SPACE.cost(arch))]
    direct = [SPACE.sample(rng, limits=limits) for _ in range(600)]
    assert all(limits.admits(SPACE.cost(arch)) for arch in direct)
    assert len(plain) > 300
    for name in ("resolution", "c0", "c7", "c8", "expansion2", "stride0", "layers5"):
        one, other = (np.array([numbers(arch)[name] for arch in archs]) for archs in (plain, direct))
        deviation = np.hypot(one.std() / len(one) ** 0.5, other.std() / len(other) ** 0.5)
        assert abs(one.mean() - other.mean()) < 5 * deviation, name


def test_batches_of_draws_cost_what_their_architectures_cost():
    draws = Draws.random(np.random.default_rng(3), 300)
    names = ("flops", "params", "memory", "layers")
    found = draws.costs(1000, names)
    costs = [SPACE.cost(draws.architecture(row)) for row in range(300)]
    assert all([getattr(cost, name) for cost in costs] == found[name].tolist() for name in names)
    assert list(draws.costs(1000, ["layers"])) == ["layers"]


def test_mutation_changes_one_block_and_the_resolution():
    rng = np.random.default_rng(4)
    changed_parts = Counter()
    arch = SPACE.sample(rng)
    for _ in range(800):
        child = SPACE.mutate(arch, rng)
        assert_in_ranges(child)
        before, after = numbers(arch), numbers(child)
        changed = {name for name in before if before[name] != after[name]} - {"resolution"}
        possible = [{f"c{i}", f"expansion{i}", f"kernel{i}", f"bottleneck{i}", f"layers{i}"} for i in range(7)] + [
            {"c7", "c8"}
        ]
        assert any(changed <= part for part in possible), changed
        assert child != arch
        changed_parts.update(changed | {"resolution"} if arch.resolution != child.resolution else changed)
        arch = child
    assert set(changed_parts) == {name for name in numbers(arch) if not name.startswith("stride")}


def test_mutation_leaves_the_rest_of_an_architecture_from_outside_the_ranges():
    arch = SPACE.parse("zennet_900m")
    rng = np.random.default_rng(5)
    for _ in range(50):
        before, after = numbers(arch), numbers(SPACE.mutate(arch, rng))
        assert sum(before[name] != after[name] for name in before) <= 6


def test_limits_hold_along_a_walk():
    rng = np.random.default_rng(6)
    limits = Limits(flops=600e6, params=8e6)
    arch = SPACE.sample(rng, limits=limits)
    for _ in range(200):
        assert limits.admits(SPACE.cost(arch))
        arch = SPACE.mutate(arch, rng, limits=limits)


def test_limits_count_the_classifier_of_the_space():
    limits = Limits(params=600_000)
    small = MobileNetV2(num_classes=1)
    arch = small.sample(np.random.default_rng(7), limits=limits)
    assert small.cost(arch).params <= 600_000
    assert small.cost(arch) == SPACE.cost(arch, num_classes=1)


def test_a_resolution_can_be_fixed():
    space = MobileNetV2(resolution=64)
    rng = np.random.default_rng(10)
    limits = Limits(flops=30e6)
    assert space.default_image_size == 64
    for arch in (space.sample(rng), space.sample(rng, limits=limits)):
        assert arch.resolution == 64
        assert space.mutate(arch, rng).resolution == 64
    assert_in_ranges(replace(arch, resolution=192))
    assert limits.admits(space.cost(arch))
    for resolution in (0, 60, 2048, "64"):
        with pytest.raises(InputError, match=f"resolution={resolution!r} is not a"):
            MobileNetV2(resolution=resolution)


def test_impossible_limits_name_the_smallest_cost_seen():
    with pytest.raises(InputError) as error:
        SPACE.sample(np.random.default_rng(8), limits=Limits(flops=1e6, params=1e5))
    words = str(error.value).split()
    assert int(words[2]) in range(MAX_DRAWS, 2 * MAX_DRAWS)
    assert "keeps flops <= 1e+06 and params <= 100000: the smallest had" in str(error.value)
    assert 30e6 < int(words[words.index("FLOPs") - 1]) < 80e6
    assert int(words[words.index("parameters") - 1]) > 300_000


def test_mutation_within_impossible_limits_is_refused():
    with pytest.raises(InputError, match=r"keeps flops <= 1e\+06: the smallest had \d+ FLOPs"):
        SPACE.mutate(SPACE.parse("rl_vote_600m"), np.random.default_rng(9), limits=Limits(flops=1e6))


def test_keys_are_equal_exactly_for_equal_networks():
    # Bottleneck and expansion are in the network as their product alone.
    arch = SPACE.parse("evolution_vote_600m")

    def with_first(**changes):
        return replace(arch, blocks=(replace(arch.blocks[0], **changes), *arch.blocks[1:]))

    assert SPACE.key(with_first(bottleneck=24, expansion=2)) == SPACE.key(with_first(bottleneck=48, expansion=1))
    keys = {SPACE.key(arch), SPACE.key(replace(arch, resolution=256)), SPACE.key(replace(arch, head=1256))}
    changes = ({"kernel": 5}, {"bottleneck": 48}, {"layers": 1}, {"stride": 1})
    keys |= {SPACE.key(with_first(**change)) for change in changes[:3]}
    assert len(keys) == 6
    moved = (replace(arch.blocks[2], stride=2), replace(arch.blocks[3], stride=1))
    assert SPACE.key(replace(arch, blocks=(*arch.blocks[:2], *moved, *arch.blocks[4:]))) not in keys


def test_enumeration_is_refused():
    assert SPACE.size is None
    with pytest.raises(InputError, match="too many to enumerate"):
        SPACE.enumerate()
