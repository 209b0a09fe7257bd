"""Spaces of the user's own models: both forms, their texts, draws, costs and networks, and use by name."""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections import Counter
from contextlib import suppress
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.counted import counted, flops_and_params
from helpers.every_strategy import EVERY_STRATEGY
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wrcor_ext import spaces, strategies
from wrcor_ext.errors import InputError
from wrcor_ext.search import main
from wrcor_ext.spaces import Cost, Limits, from_models


def plain(width, depth=1, num_classes=10):
    """Convolutions of one width, then a classifier."""
    layers = [nn.Conv2d(3 if i == 0 else width, width, 3, padding=1, bias=False) for i in range(depth)]
    convs = [module for conv in layers for module in (conv, nn.ReLU())]
    return nn.Sequential(*convs, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes))


def narrow(num_classes):
    return plain(4, num_classes=num_classes)


def wide(num_classes):
    return plain(8, num_classes=num_classes)


GRID = {"width": [2, 4, 8], "depth": [1, 2]}


@pytest.fixture
def grid():
    return from_models(plain, GRID, image_size=8)


@pytest.fixture
def named():
    return from_models([narrow, wide], image_size=8)


def test_grid_has_all_combinations_as_json(grid):
    archs = list(grid.enumerate())
    assert archs == [(2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2)]
    assert grid.size == 6
    assert grid.format((4, 2)) == '{"width": 4, "depth": 2}'
    assert [json.loads(grid.format(arch)) for arch in archs] == [{"width": w, "depth": d} for w, d in archs]
    assert [grid.parse(grid.format(arch)) for arch in archs] == archs
    assert len({grid.key(arch) for arch in archs}) == 6
    assert grid.parse('{"depth": 2, "width": 4}') == (4, 2)


def test_named_models_are_written_by_their_names(named):
    assert named.size == 2
    assert [named.format(arch) for arch in named.enumerate()] == ["narrow", "wide"]
    assert named.parse("wide") == ("wide",)
    assert from_models({"a b": narrow}).parse("a b") == ("a b",)


@pytest.mark.parametrize("arch", [(2, 1), (8, 2)])
def test_cost_is_that_of_the_built_network(grid, arch):
    expected = counted(grid, arch, num_classes=7, image_size=6)
    assert flops_and_params(grid.cost(arch, num_classes=7, image_size=6)) == expected
    width, depth = arch
    convs = 9 * (3 * width + (depth - 1) * width**2)
    assert flops_and_params(grid.cost(arch)) == Cost(convs * 64 + 10 * width, convs + 11 * width - width + 10)
    assert grid.cost(arch).layers == depth + 1


def test_cost_is_counted_once_and_leaves_the_global_generator_alone():
    made = []

    def factory(width):
        made.append(width)
        return nn.Sequential(nn.Flatten(), nn.Linear(48, int(torch.rand(1).item() * 0) + width))  # no meta device

    space = from_models(factory, {"width": [2, 3]}, image_size=4)
    before = torch.get_rng_state()
    assert [space.cost((2,)) for _ in range(3)] == [Cost(96, 98, memory=4 * (48 + 2), layers=1)] * 3
    assert made == [2, 2]  # on the meta device in vain, then on the CPU
    assert torch.equal(torch.get_rng_state(), before)


def test_build_draws_weights_from_its_seed(grid, named):
    for space, arch in ((grid, (4, 2)), (named, ("wide",))):
        before = torch.get_rng_state()
        first, again, other = (space.build(arch, num_classes=5, seed=seed) for seed in (1, 1, 2))
        assert torch.equal(torch.get_rng_state(), before)
        weights = [next(model.parameters()) for model in (first, again, other)]
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])
        assert first(torch.zeros(2, 3, 8, 8)).shape == (2, 5)


def test_a_factory_without_num_classes_keeps_its_own():
    space = from_models(lambda width: plain(width, num_classes=3), {"width": [2]})
    assert space.build((2,), num_classes=10)(torch.zeros(2, 3, 8, 8)).shape == (2, 3)


def test_samples_are_uniform(grid):
    rng = np.random.default_rng(0)
    counts = Counter(grid.sample(rng) for _ in range(1200))
    assert len(counts) == 6
    assert max(abs(count - 200) for count in counts.values()) < 60  # 4.6 standard deviations


def test_mutation_draws_a_parameter_and_then_another_value(grid):
    rng = np.random.default_rng(0)
    counts = Counter(grid.mutate((4, 1), rng) for _ in range(1200))
    expected = {(4, 2): 600, (2, 1): 300, (8, 1): 300}
    assert counts.keys() == expected.keys()
    assert all(abs(counts[arch] - expected[arch]) < 90 for arch in expected)


def test_limits_hold_and_what_they_exclude_is_passed_over(grid):
    rng = np.random.default_rng(0)
    limits = Limits(params=grid.cost((4, 1)).params)
    allowed = {arch for arch in grid.enumerate() if limits.admits(grid.cost(arch))}
    assert allowed == {(2, 1), (2, 2), (4, 1)}
    assert {grid.sample(rng, limits=limits) for _ in range(60)} == allowed
    assert {grid.mutate((4, 1), rng, limits=limits) for _ in range(20)} == {(2, 1)}
    with pytest.raises(InputError, match=r"no neighbour of \{\"width\": 4, \"depth\": 1\} keeps params <= 1"):
        grid.mutate((4, 1), rng, limits=Limits(params=1))
    with pytest.raises(InputError, match="none of 10000 random architectures keeps flops <= 1"):
        grid.sample(rng, limits=Limits(flops=1))


def test_numbers_are_places_in_the_enumeration_and_neighbours_differ_in_one_parameter(grid):
    whole = list(grid.enumerate())
    assert [grid.nth(number) for number in range(grid.nth_count)] == whole
    for arch in whole:
        expected = [other for other in whole if sum(a != b for a, b in zip(arch, other, strict=True)) == 1]
        assert sorted(grid.neighbours(arch)) == sorted(expected)


def test_a_grid_of_billions_has_numbers():
    space = from_models(lambda **widths: plain(2, 1), {f"width{i}": range(1, 101) for i in range(6)}, image_size=8)
    assert space.nth_count == 10**12
    assert space.nth(0) == (1,) * 6
    assert space.nth(10**12 - 1) == (100,) * 6
    assert space.nth(12_34_56) == (1, 1, 1, 13, 35, 57)


def test_the_only_architecture_has_no_neighbour():
    with pytest.raises(InputError, match=r"no neighbour of narrow .* the only one"):
        from_models([narrow]).mutate(("narrow",), np.random.default_rng(0))


def test_lists_in_a_grid_become_tuples():
    space = from_models(lambda depths: plain(2, sum(depths)), {"depths": [[1, 2], [1, 1]]}, image_size=8)
    arch = space.parse('{"depths": [1, 1]}')
    assert arch == ((1, 1),)
    assert space.format(arch) == '{"depths": [1, 1]}'
    assert len(space.build(arch)) == 2 * 2 + 3


@pytest.mark.parametrize("name", EVERY_STRATEGY)
def test_every_strategy_searches_it(grid, name):
    strategy = strategies.create(name, grid, seed=0)
    seen = set()
    for _ in range(80):
        for arch in strategy.ask(1):  # nothing more once all are proposed
            strategy.tell([(arch, float(arch[0]))])
            seen.add(arch)
    assert len(seen) > 3
    assert seen <= set(grid.enumerate())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"not JSON at character 2"),
        ("4", r"not a JSON object"),
        ('{"width": 4}', r"lacks parameter 'depth'"),
        ('{"width": 4, "depth": 1, "hight": 2}', r"unknown parameter 'hight', known are width, depth"),
        ('{"width": 5, "depth": 1}', r"width is 5, allowed are 2, 4, 8"),
        ('{"width": "4", "depth": 1}', r"width is '4', allowed are 2, 4, 8"),
        ('{"width": true, "depth": true}', r"width is True"),
        ('{"width": 4, "width": 4, "depth": 1}', r"names 'width' twice"),
        ('{"width": {"a": 4}, "depth": 1}', r"width is \{'a': 4\}"),
        ("9" * 10_000, r"is not JSON"),
        ("[" * 100_000, r"is not JSON"),
        (3, r"a text, not 3"),
    ],
)
def test_malformed_architectures_are_refused(grid, text, message):
    with pytest.raises(InputError, match=message) as caught:
        grid.parse(text)
    assert len(str(caught.value)) < 400


@settings(max_examples=80, deadline=None)
@given(
    st.text()
    | st.recursive(st.none() | st.integers() | st.text(), lambda v: st.dictionaries(st.text(), v)).map(json.dumps)
)
def test_parsing_raises_nothing_else(text):
    space = from_models(plain, GRID)
    with suppress(InputError):
        assert space.parse(text) in set(space.enumerate())


@pytest.mark.parametrize("arch", [(4,), (4, 3), (4, [1]), (4, (1, [1])), [4, 1], "wide", None])
def test_values_that_are_no_architecture_are_refused(grid, arch):
    for method in (grid.format, grid.key, grid.cost, grid.build, lambda a: grid.mutate(a, np.random.default_rng(0))):
        with pytest.raises(InputError):
            method(arch)


def test_unknown_name_is_answered_with_near_ones(named):
    with pytest.raises(InputError, match=r"unknown model 'narow': did you mean narrow\? known are narrow, wide"):
        named.parse("narow")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((nn.ReLU(),), r"a ReLU object is no factory"),
        ((None,), r"None is no factory"),
        (({"a": nn.ReLU()},), r"a ReLU object is no factory"),
        (({"a": 3},), r"3 is no factory"),
        (({},), r"no models"),
        (([narrow, narrow],), r"two models are called 'narrow'"),
        (([lambda: None],), r"has no name"),
        (([plain],), r"plain cannot be called with nothing: missing a required argument: 'width'"),
        ((narrow,), r"one factory makes a space only with a grid"),
        (([narrow], {"width": [1]}), r"is no factory"),
        ((plain, {}), r"no parameter"),
        ((plain, [1, 2]), r"not a dictionary"),
        ((plain, {"width": []}), r"'width' has no values"),
        ((plain, {"width": 4}), r"'width' is 4: a list"),
        ((plain, {"width": "48"}), r"'width' is '48': a list"),
        ((plain, {"width": [4, 4]}), r"a value twice"),
        ((plain, {"width": [1, True]}), r"a value twice"),
        ((plain, {"width": [4.0, float("nan")]}), r"holds nan"),
        ((plain, {"width": [nn.ReLU]}), r"allowed are what JSON can write"),
        ((plain, {"width": [4], "hight": [4]}), r"plain cannot be called with width, hight: .*'hight'"),
        ((plain, {"depth": [4]}), r"missing a required argument: 'width'"),
        ((plain, {"width": [4], "num_classes": [4]}), r"num_classes cannot be in the grid"),
    ],
)
def test_what_makes_no_space_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        from_models(*arguments)


@pytest.mark.parametrize("option", ["num_classes", "image_size"])
def test_options_out_of_range_are_refused(option):
    with pytest.raises(InputError, match=f"{option}=0"):
        from_models([narrow], **{option: 0})


def test_a_factory_that_fails_is_named_with_its_architecture():
    space = from_models(lambda groups: nn.Conv2d(3, 8, 1, groups=groups), {"groups": [1, 2]})
    with pytest.raises(InputError, match=r'\{"groups": 2\} cannot be built: ValueError: in_channels must be'):
        space.build((2,))
    with pytest.raises(InputError, match=r'the cost of \{"groups": 2\} is unknown: .*ValueError'):
        space.cost((2,))
    with pytest.raises(InputError, match="returned 3, not a torch"):
        from_models({"three": lambda: 3}).build(("three",))


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A module of the user's that defines spaces."""
    (tmp_path / "my_spaces.py").write_text(
        '''
from torch import nn
from wrcor_ext import spaces

def net(width, num_classes):
    conv = nn.Conv2d(3, width, 3, padding=1)
    return nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes))

ready = spaces.from_models(net, {"width": [2, 3, 4, 5]}, image_size=8)

def made(image_size=8):
    """Small nets."""
    return spaces.from_models(net, {"width": [2, 3]}, image_size=image_size)

def broken():
    raise KeyError("no data")

number = 3

def nothing():
    return None
'''
    )
    (tmp_path / "my_broken.py").write_text("import no_such_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield
    for module in ("my_spaces", "my_broken"):
        sys.modules.pop(module, None)


def test_own_spaces_are_found_by_reference(own_module):
    assert spaces.get("my_spaces:ready").size == 4
    assert spaces.get("my_spaces:made", image_size=16).default_image_size == 16
    entry = spaces.entry("my_spaces:made")
    assert (entry.name, entry.options, entry.summary) == ("my_spaces:made", ("image_size",), "Small nets.")
    assert "my_spaces:made" not in spaces.names()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("my_space:ready", r"'my_space:ready': there is no module 'my_space'"),
        ("my_spaces.more:ready", r"there is no module 'my_spaces.more'"),
        ("my_spaces:raedy", r"my_spaces has no attribute 'raedy', did you mean ready\?"),
        ("my_spaces:number", r"is 3, neither a Space nor a function"),
        ("my_spaces:nothing", r"returned None, not a Space"),
        ("my_spaces:broken", r"cannot be made: KeyError: 'no data'"),
        ("my_broken:x", r"importing my_broken failed with ModuleNotFoundError: No module named 'no_such_dependency'"),
    ],
)
def test_references_that_lead_nowhere_are_refused(own_module, reference, message):
    with pytest.raises(InputError, match=message):
        spaces.get(reference)


def test_own_space_refuses_options_it_does_not_take(own_module):
    with pytest.raises(InputError, match=r"has no option 'width': it takes image_size"):
        spaces.get("my_spaces:made", width=3)


def test_the_search_command_searches_an_own_space(own_module, tmp_path):
    words = ["--space", "my_spaces:ready", "--dataset", "noise", "--image-size", "8", "--batch-size", "4"]
    assert main([*words, "--budget", "6", "--out", "run"]) == 0
    best = json.loads((tmp_path / "run" / "best.json").read_text())
    assert best["architecture"] in {f'{{"width": {width}}}' for width in (2, 3, 4, 5)}


def test_long_grids_are_enumerated_lazily_and_listed_briefly():
    space = from_models(plain, {"width": range(1, 10_000), "depth": range(1, 10_000)})
    assert list(islice(space.enumerate(), 2)) == [(1, 1), (1, 2)]
    with pytest.raises(InputError, match=r"width is 0, allowed are 1, 2, [\d, ]*, \.\.\., 9999$"):
        space.parse('{"width": 0, "depth": 1}')


def code_block(title):
    """The Python code with this title in the page about own models."""
    page = (Path(__file__).parents[2] / "docs" / "any_model.md").read_text(encoding="utf-8")
    return re.search(rf'```python title="{title}"\n(.*?)```', page, re.DOTALL)[1]


def smaller(code, **changes):
    for old, new in changes.values():
        assert old in code
        code = code.replace(old, new)
    return code


def test_the_documented_example_runs(tmp_path, monkeypatch, capsys):
    grid = ('"width": [8, 16, 24, 32, 48], "depth": [1, 2, 3, 4]', '"width": [2, 3, 4], "depth": [1, 2]')
    (tmp_path / "my_resnet.py").write_text(smaller(code_block("my_resnet.py"), grid=grid))
    (tmp_path / "use.py").write_text(smaller(code_block("use.py"), batch=("batch_size=16", "batch_size=4")))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    try:
        runpy.run_path(str(tmp_path / "use.py"))
        printed = capsys.readouterr().out.splitlines()
        assert len(printed) == 4
        assert all(re.match(r'\{"width": [234], "depth": [12]\} Cost\(.*\) -?\d', line) for line in printed)
        own = spaces.get("my_resnet:space")
        options = {"num_classes": 7, "image_size": 16}
        assert flops_and_params(own.cost((4, 2), **options)) == counted(own, (4, 2), **options)
        words = ["--image-size", "8", "--batch-size", "4", "--budget", "8", "--population-size", "3", "--out", "run"]
        assert main(["--space", "my_resnet:space", *words]) == 0
        assert own.parse(json.loads((tmp_path / "run" / "best.json").read_text())["architecture"]) in own.enumerate()
    finally:
        sys.modules.pop("my_resnet", None)
