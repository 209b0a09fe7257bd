"""Architectures as independent choices: every space's own view, and that of spaces that stand in front of another."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
from helpers.toy import ToySpace
from torch import nn

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.limited_space import LimitedSpace
from wrcor_ext.spaces import Limits
from wrcor_ext.timed_space import TimedSpace

FINITE_GRIDS = ("nasbench201", "channelbench_mobilenet", "nasbench_macro")


@pytest.fixture(params=spaces.names())
def space(request):
    return spaces.get(request.param)


def random_codes(encoding, rng):
    return tuple(int(rng.integers(len(variable.choices))) for variable in encoding.variables)


def test_samples_come_back_from_their_codes(space):
    encoding, rng = space.encoding(), np.random.default_rng(0)
    for _ in range(300):
        arch = space.sample(rng)
        codes = encoding.encode(arch)
        assert [type(code) for code in codes] == [int] * len(encoding.variables)
        assert encoding.decode(codes) == arch


def test_every_choice_can_be_drawn(space):
    encoding, rng = space.encoding(), np.random.default_rng(1)
    drawn = [set(column) for column in zip(*(encoding.encode(space.sample(rng)) for _ in range(3_000)), strict=True)]
    for variable, codes in zip(encoding.variables, drawn, strict=True):
        if (space.name, variable.name) != ("nasbench101", "edge_0_1"):  # vertex 1 of a pruned cell has no other source
            assert codes == set(range(len(variable.choices)))


def test_names_and_labels_are_unique(space):
    variables = space.encoding().variables
    assert len({variable.name for variable in variables}) == len(variables)
    assert all(len(set(variable.choices)) == len(variable.choices) >= 2 for variable in variables)


@pytest.mark.parametrize("name", FINITE_GRIDS)
def test_the_codes_of_a_grid_are_its_architectures_one_to_one(name):
    space = spaces.get(name)
    encoding = space.encoding()
    combinations_of_codes = product(*(range(len(variable.choices)) for variable in encoding.variables))
    decoded = [encoding.decode(codes) for codes in combinations_of_codes]
    assert len(decoded) == space.size
    assert set(decoded) == set(space.enumerate())


def test_wrong_codes_are_refused(space):
    encoding = space.encoding()
    codes = encoding.encode(space.sample(np.random.default_rng(2)))
    with pytest.raises(InputError, match=f"{len(codes) - 1} codes: the space has {len(codes)} variables"):
        encoding.decode(codes[:-1])
    last = encoding.variables[-1]
    for wrong in (-1, len(last.choices), 0.0, "0", True):
        with pytest.raises(InputError, match=f"variable '{last.name}': allowed are 0 to {len(last.choices) - 1}"):
            encoding.decode((*codes[:-1], wrong))


def test_what_is_no_architecture_has_no_codes(space):
    with pytest.raises(InputError, match="is not"):
        space.encoding().encode(("no", "architecture"))


def test_cells_from_all_over_nasbench101_come_back():
    space = spaces.get("nasbench101")
    encoding = space.encoding()
    for number, cell in enumerate(space.enumerate()):
        if number % 41 == 3:
            assert encoding.decode(encoding.encode(cell)) == cell


def test_nasbench101_codes_decode_as_the_benchmark_prunes_and_refuses():
    space = spaces.get("nasbench101")
    encoding, rng = space.encoding(), np.random.default_rng(3)
    refused = 0
    for _ in range(1_000):
        codes = random_codes(encoding, rng)
        chosen = {v.name: v.choices[code] for v, code in zip(encoding.variables, codes, strict=True)}
        matrix = tuple(tuple(int(s < t and chosen[f"edge_{s}_{t}"] == "present") for t in range(7)) for s in range(7))
        ops = ("input", *(chosen[f"operation_{vertex}"] for vertex in range(1, 6)), "output")
        cell = type(space.sample(rng))(matrix, ops)
        try:
            expected = space.parse(space.format(cell))
        except InputError:
            refused += 1
            with pytest.raises(InputError, match=r"no path leads|at most 9 are allowed"):
                encoding.decode(codes)
        else:
            assert encoding.decode(codes) == expected
    assert 100 < refused < 900


def test_exactly_the_inactive_operations_of_nasbench101_make_no_difference():
    space = spaces.get("nasbench101")
    encoding, rng = space.encoding(), np.random.default_rng(4)
    seen = set()
    while len(seen) < 2 or rng.integers(50):
        codes = random_codes(encoding, rng)
        try:
            cell = encoding.decode(codes)
        except InputError:
            continue
        for place in range(len(codes)):
            if encoding.variables[place].name.startswith("operation"):
                others = [encoding.decode((*codes[:place], code, *codes[place + 1 :])) for code in range(3)]
                active = encoding.active(codes[:place])
                assert active is (len(set(others)) == 3)
                assert cell in others
                seen.add(active)
            else:
                assert encoding.active(codes[:place])
        canonical = encoding.encode(cell)
        assert all(encoding.active(canonical[:i]) or canonical[i] == 0 for i in range(len(codes)))


def test_grids_have_no_inactive_variable():
    encoding = spaces.get("nasbench201").encoding()
    assert all(encoding.active(prefix) for prefix in ((), (0,), (0, 1, 2, 3, 4)))


def test_mobilenetv2_has_the_39_choices_of_a_draw():
    encoding = spaces.get("mobilenetv2").encoding()
    assert len(encoding.variables) == 39
    widths, bottlenecks, layers = 5**3 * 5 * 7 * 23**2 * 49 * 177, 5**3 * 5 * 7 * 23**2, 2**3 * 3 * 5**2 * 2
    expected = widths * bottlenecks * layers * (4 * 3) ** 7 * 5 * 35  # expansions and kernels, resolution, strides
    assert math.prod(len(variable.choices) for variable in encoding.variables) == expected
    strides = encoding.variables[-1]
    assert strides.subsets == tuple(combinations(range(7), 4))
    assert strides.choices[0] == "1+2+3+4"
    assert strides.choices[-1] == "4+5+6+7"


def test_mobilenetv2_codes_say_what_the_network_has():
    space = spaces.get("mobilenetv2")
    encoding, rng = space.encoding(), np.random.default_rng(5)
    for _ in range(50):
        codes = random_codes(encoding, rng)
        arch = encoding.decode(codes)
        chosen = {v.name: v.choices[code] for v, code in zip(encoding.variables, codes, strict=True)}
        strided = [str(number) for number, block in enumerate(arch.blocks, start=1) if block.stride == 2]
        assert chosen["strides"] == "+".join(strided)
        assert (chosen["resolution"], chosen["width_0"], chosen["width_8"]) == (
            str(arch.resolution),
            str(arch.stem),
            str(arch.head),
        )
        for number, block in enumerate(arch.blocks, start=1):
            assert chosen[f"width_{number}"] == str(block.out_width)
            for field in ("bottleneck", "layers", "expansion", "kernel"):
                assert chosen[f"{field}_{number}"] == str(getattr(block, field))


def test_a_given_resolution_is_no_choice():
    space = spaces.get("mobilenetv2", resolution=32)  # no search draws it
    encoding = space.encoding()
    assert "resolution" not in [variable.name for variable in encoding.variables]
    rng = np.random.default_rng(6)
    for _ in range(20):
        arch = space.sample(rng)
        assert encoding.decode(encoding.encode(arch)) == arch
    with pytest.raises(InputError, match="resolution 224 of the architecture: the space has 32 only"):
        encoding.encode(space.parse("mobilenetv2"))


def test_a_published_network_outside_the_ranges_has_no_codes():
    space = spaces.get("mobilenetv2")
    with pytest.raises(InputError, match=r"is outside what a search draws from: "):
        space.encoding().encode(space.parse("zennet_900m"))
    arch = space.parse("evolution_vote")
    assert space.encoding().decode(space.encoding().encode(arch)) == arch


def test_the_users_own_models_are_a_grid():
    def network(width: int, depth: tuple[int, ...], num_classes: int) -> nn.Module:
        return nn.Linear(width, num_classes)

    space = spaces.from_models(network, {"width": [8, 16], "depth": [[1, 2], [3]]})
    encoding = space.encoding()
    assert [(v.name, v.choices) for v in encoding.variables] == [("width", ("8", "16")), ("depth", ("[1, 2]", "[3]"))]
    assert encoding.decode((1, 0)) == (16, (1, 2))
    assert [encoding.decode(encoding.encode(arch)) for arch in space.enumerate()] == list(space.enumerate())


def test_a_limited_space_refuses_what_is_outside():
    space = spaces.get("nasbench201")
    limits = Limits(params=300_000)
    encoding = LimitedSpace(space, limits).encoding()
    for arch in list(space.enumerate())[::50]:
        codes = encoding.encode(arch)
        if limits.admits(space.cost(arch)):
            assert encoding.decode(codes) == arch
        else:
            with pytest.raises(InputError, match=r"nor_conv.* does not keep params <= 300000"):
                encoding.decode(codes)


def test_a_limited_space_keeps_the_activity_of_variables():
    plain = spaces.get("nasbench101").encoding()
    limited = LimitedSpace(spaces.get("nasbench101"), Limits(params=1e7)).encoding()
    only_input_to_output = (*(int(v.name == "edge_0_6") for v in plain.variables[:21]),)
    assert not plain.active(only_input_to_output)
    assert not limited.active(only_input_to_output)
    assert limited.active(only_input_to_output[:5])


def test_latency_is_asked_for_only_within_the_other_limits():
    class Convolutions:
        asked = 0

        def milliseconds(self, arch):
            self.asked += 1
            return float(sum("conv" in op for op in arch))

    space, source = spaces.get("nasbench201"), Convolutions()
    limits = Limits(params=800_000, latency=2)
    limited = LimitedSpace(TimedSpace(space, source), limits)
    encoding = limited.encoding()
    cells = list(space.enumerate())[::100]
    cheap = [cell for cell in cells if space.cost(cell).params <= 800_000]
    for cell in cells:
        codes = encoding.encode(cell)
        if cell in cheap and sum("conv" in op for op in cell) <= 2:
            assert encoding.decode(codes) == cell
        else:
            with pytest.raises(InputError, match="does not keep params <= 800000 and latency <= 2"):
                encoding.decode(codes)
    assert 0 < source.asked == len(cheap) < len(cells)


def test_a_space_without_an_encoding_says_what_is_missing():
    with pytest.raises(InputError, match=r"'toy' does not say.*a method encoding\(\).*wrcor_ext\.spaces\.Encoding"):
        spaces.Space.encoding(ToySpace())
