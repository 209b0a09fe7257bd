"""Peak memory by hand, for graphs small enough to see what is there at each moment."""

from __future__ import annotations

import pytest

from wrcor_ext import spaces
from wrcor_ext.spaces.liveness import Steps, peak


@pytest.fixture
def steps():
    return Steps()


def test_in_a_chain_two_neighbours_are_there(steps):
    tensor = steps.given(3)
    for size in (10, 20, 5, 1):
        tensor = steps.make(size, tensor)
    assert [sorted(moment) for moment in steps.moments()] == [[3, 10], [10, 20], [5, 20], [1, 5]]
    assert peak(steps) == 30


def test_a_shortcut_stays_until_the_sum(steps):
    image = steps.given(3)
    residual = steps.make(10, steps.make(20, image))
    steps.make(10, image, residual)
    assert [sorted(moment) for moment in steps.moments()] == [[3, 20], [3, 10, 20], [3, 10, 10]]


def test_maps_write_over_what_nobody_reads_later(steps):
    image = steps.given(8)
    copied = steps.map(image)  # the sum reads the image again
    in_place = steps.map(copied)
    steps.make(8, image, in_place)
    assert [sum(moment) for moment in steps.moments()] == [16, 16, 24]


def test_what_is_kept_is_not_written_over(steps):
    image = steps.given(8)
    steps.map(image)
    assert peak(steps) == 8
    assert peak(steps, image) == 16


def test_what_nobody_reads_is_there_while_it_is_made(steps):
    image = steps.given(1)
    steps.make(50, image)
    steps.make(2, image)
    assert [sum(moment) for moment in steps.moments()] == [51, 3]


def test_a_change_in_place_needs_what_it_changes(steps):
    image = steps.given(1)
    first, second = steps.make(5, image), steps.make(7, image)
    steps.touch(first, second)
    steps.make(1, first)
    assert [sum(moment) for moment in steps.moments()] == [6, 13, 12, 6]


def test_no_operation_holds_nothing(steps):
    steps.given(5)
    assert peak(steps) == 0


SKIP = "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
DENSE = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        # The first reduction: its input, the ReLU of that, and half as much behind the convolution.
        (SKIP, 2.5 * 16 * 32 * 32),
        # While 2<-1 is computed: nodes 0 and 1, which node 3 needs, the term of 2<-0, ReLU and convolution of node 1.
        (DENSE, 5 * 16 * 32 * 32),
    ],
)
def test_nasbench201_by_hand(cell, numbers):
    space = spaces.get("nasbench201")
    assert space.cost(space.parse(cell)).memory == 4 * numbers


def test_layers_by_hand():
    space = spaces.get("nasbench201")
    frame = 1 + 2 * 3 + 1  # stem, two reductions with a convolution in their shortcuts, classifier
    assert space.cost(space.parse(SKIP)).layers == frame
    assert space.cost(space.parse(DENSE)).layers == frame + 15 * 6
    mobile = spaces.get("mobilenetv2")
    arch = mobile.parse("evolution_vote_600m")
    layers = sum(block.layers for block in arch.blocks)
    assert mobile.cost(arch).layers == 1 + 7 + 5 * layers + 1 + 1
