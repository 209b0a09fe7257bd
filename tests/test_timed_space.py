"""Spaces with a bound on latency, timed by a table of made-up latencies."""

from __future__ import annotations

import numpy as np
import pytest

from wrcor_ext import InputError, spaces
from wrcor_ext.spaces import Limits
from wrcor_ext.timed_space import TimedSpace


class ConvolutionsTakeTime:
    """A source of latencies: one millisecond for each convolution of a NAS-Bench-201 cell."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def milliseconds(self, arch: tuple[str, ...]) -> float:
        self.asked.append(arch)
        return float(sum("conv" in op for op in arch))


@pytest.fixture
def source():
    return ConvolutionsTakeTime()


@pytest.fixture
def timed(source):
    return TimedSpace(spaces.get("nasbench201"), source)


def test_samples_and_neighbours_keep_all_limits(timed, source):
    rng = np.random.default_rng(0)
    limits = Limits(flops=60e6, latency=2)
    arch = timed.sample(rng, limits=limits)
    for _ in range(30):
        assert source.milliseconds(arch) <= 2
        assert timed.cost(arch).flops <= 60e6
        child = timed.mutate(arch, rng, limits=limits)
        assert child != arch
        arch = child
    assert all(timed.cost(asked).flops <= 60e6 for asked in source.asked)


def test_without_a_bound_on_latency_nothing_is_timed(timed, source):
    plain = spaces.get("nasbench201")
    limits = Limits(params=500_000)
    ours = timed.sample(np.random.default_rng(3), limits=limits)
    assert ours == plain.sample(np.random.default_rng(3), limits=limits)
    assert timed.mutate(ours, np.random.default_rng(4)) == plain.mutate(ours, np.random.default_rng(4))
    assert source.asked == []


def test_the_rest_is_the_other_spaces(timed):
    plain = spaces.get("nasbench201")
    text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
    arch = timed.parse(text)
    assert (timed.name, timed.size, timed.format(arch)) == (plain.name, plain.size, text)
    assert (timed.key(arch), timed.cost(arch)) == (plain.key(arch), plain.cost(arch))
    assert timed.cost(arch, counting="published", image_size=16) == plain.cost(
        arch, counting="published", image_size=16
    )
    assert next(timed.enumerate()) == next(plain.enumerate())
    assert timed.build(arch, num_classes=3, seed=0).classifier.out_features == 3


def test_an_unreachable_bound_names_the_smallest_latency_seen(source):
    timed = TimedSpace(spaces.get("nasbench201"), source, tries=7)
    with pytest.raises(InputError, match=r"none of 7 timed architectures keeps latency <= 0.5: the fastest took \d ms"):
        timed.mutate(("nor_conv_3x3",) * 6, np.random.default_rng(0), limits=Limits(latency=0.5))
    assert len(source.asked) == 7


@pytest.mark.parametrize("name", spaces.names())
def test_a_space_alone_refuses_a_bound_on_latency(name):
    space = spaces.get(name)
    rng = np.random.default_rng(0)
    arch = space.sample(rng)
    for draw in (
        lambda: space.sample(rng, limits=Limits(latency=5)),
        lambda: space.mutate(arch, rng, limits=Limits(latency=5)),
    ):
        with pytest.raises(InputError, match="TimedSpace"):
            draw()
