"""Which modules open a level."""

from __future__ import annotations

import pytest
from torch import nn

from wrcor_ext import InputError, levels


def network(**children: nn.Module) -> nn.Module:
    model = nn.Module()
    for name, child in children.items():
        model.add_module(name, child)
    return model


def row(n: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Identity() for _ in range(n))


def test_named_containers_win_in_order_and_lastact_is_one_more() -> None:
    model = network(block_list=row(2), layers=row(3), cells=row(4), lastact=nn.ReLU())
    assert levels.resolve(model) == (*model.cells, model.lastact)
    model = network(block_list=row(2), layers=row(3))
    assert levels.resolve(model) == tuple(model.layers)
    model = network(block_list=row(2))
    assert levels.resolve(model) == tuple(model.block_list)


def test_an_attribute_that_is_no_container_does_not_count() -> None:
    model = network(layers=nn.Linear(2, 2), stages=row(3))
    assert levels.resolve(model) == tuple(model.stages)


def test_outermost_containers_otherwise() -> None:
    inner = nn.Sequential(nn.Sequential(nn.ReLU(), nn.ReLU()), nn.ReLU())
    model = network(stem=nn.ReLU(), one=inner, two=network(deep=row(2)))
    assert levels.resolve(model) == (inner[0], inner[1], *model.two.deep)


def test_explicit_levels() -> None:
    model = network(body=network(parts=row(3)))
    assert levels.resolve(model, "flat") == ()
    assert levels.resolve(model, "body.parts") == tuple(model.body.parts)
    assert levels.resolve(model, [model.body]) == (model.body,)


@pytest.mark.parametrize("bad", ["body", "nowhere", "body.parts.0"])
def test_a_path_to_no_container_is_refused(bad: str) -> None:
    with pytest.raises(InputError, match=bad):
        levels.resolve(network(body=network(parts=row(3))), bad)


def test_a_foreign_module_is_refused() -> None:
    with pytest.raises(InputError, match=r"levels\[0\]"):
        levels.resolve(nn.Sequential(), [nn.ReLU()])


def test_weights_beyond_float64_are_refused() -> None:
    with pytest.raises(InputError, match="1001 levels"):
        levels.resolve(nn.Sequential(*row(1001)))


def test_levels_of_a_wrapped_model_are_those_of_the_model() -> None:
    model = network(cells=row(3))
    assert levels.resolve(nn.DataParallel(model)) == tuple(model.cells)


@pytest.mark.parametrize("bad", [None, 3])
def test_levels_that_are_nothing_of_the_kind_are_refused(bad: object) -> None:
    with pytest.raises(InputError, match=f"levels={bad}"):
        levels.resolve(nn.Sequential(), bad)
