"""The evaluator: the library's own scores, and one candidate's trouble kept to that candidate."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import wrcor_ext
from wrcor_ext import data, ops, spaces
from wrcor_ext.errors import BackendError, InputError
from wrcor_ext.search import evaluator as evaluators
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.evaluator import InProcessEvaluator
from wrcor_ext.search.pools import Together

CONFIG = SearchConfig(
    dataset="noise",
    batch_size=6,
    image_size=8,
    stem_width=4,
    cells_per_stage=1,
    proxies=["wrcor", "naswot"],
    seed=3,
    tail=2,
)
CELL = ("nor_conv_3x3",) * 6


@pytest.fixture(scope="module")
def batch():
    return data.load("noise", batch_size=6, image_size=8, seed=3)


@pytest.fixture
def space():
    return spaces.get("nasbench201", stem_width=4, cells_per_stage=1)


@pytest.fixture
def evaluator(space, batch):
    return InProcessEvaluator(space, batch, CONFIG)


def test_the_scores_are_those_of_the_library(evaluator, space, batch):
    found = evaluator.evaluate(CELL)
    model = space.build(CELL, num_classes=batch.num_classes, seed=3)
    scores = wrcor_ext.score(model, batch.images, batch.labels, proxies=("wrcor", "naswot"), tail=2)
    assert found.scores == {name: result.value for name, result in scores.items()}
    assert found.status == "ok"
    assert found.reason is None
    assert found.seconds > 0


def test_the_cost_is_that_of_the_network_that_is_scored(evaluator, space, batch):
    model = space.build(CELL, num_classes=batch.num_classes)
    assert evaluator.cost(CELL).params == sum(parameter.numel() for parameter in model.parameters())


def test_global_random_state_does_not_matter_and_is_kept(evaluator):
    torch.manual_seed(1)
    first = evaluator.evaluate(CELL).scores
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert evaluator.evaluate(CELL).scores == first
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("sizes do\nnot match"), "RuntimeError: sizes do not match"),
        (InputError("no activation"), "no activation"),
        (AssertionError("input height (8) does not match"), "AssertionError: input height (8) does not match"),
        (TypeError("no operand"), "TypeError: no operand"),
    ],
)
def test_a_network_that_cannot_run_fails_alone(evaluator, monkeypatch, error, reason):
    def broken(*args, **kwargs):
        raise error

    monkeypatch.setattr(evaluators, "measure", broken)
    found = evaluator.evaluate(CELL)
    assert (found.status, found.reason) == ("failed", reason)
    assert found.scores == {"wrcor": None, "naswot": None}


def test_a_cost_that_cannot_be_counted_is_none(evaluator, space, monkeypatch):
    def broken(*args, **kwargs):
        raise NotImplementedError

    monkeypatch.setattr(space, "cost", broken)
    assert evaluator.cost(CELL) is None
    assert evaluator.evaluate(CELL).status == "ok"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BackendError("no CUDA")])
def test_what_is_not_the_candidates_fault_is_raised(evaluator, monkeypatch, error):
    def broken(*args, **kwargs):
        raise error

    monkeypatch.setattr(evaluators, "measure", broken)
    with pytest.raises(type(error)):
        evaluator.evaluate(CELL)


def test_a_degenerate_objective_has_no_value_but_a_reason(space, batch):
    constant = data.Batch(torch.zeros_like(batch.images), batch.labels, batch.num_classes, "zeros", "0")
    found = InProcessEvaluator(space, constant, CONFIG).evaluate(CELL)
    assert found.status == "degenerate"
    assert found.scores["wrcor"] is None
    assert "wrcor degenerate: no response" in found.reason


def test_one_member_of_a_vote_with_a_value_is_enough(space, batch):
    config = replace(CONFIG, proxies=["vote:rank(wrcor,l2_norm)", "naswot"])
    constant = data.Batch(torch.zeros_like(batch.images), batch.labels, batch.num_classes, "zeros", "0")
    found = InProcessEvaluator(space, constant, config).evaluate(CELL)
    assert list(found.scores) == ["wrcor", "l2_norm", "naswot"]
    assert (found.scores["wrcor"], found.status) == (None, "ok")
    assert found.scores["l2_norm"] > 0
    assert "wrcor degenerate" in found.reason


def test_a_group_is_finished_by_one_log_determinant(evaluator, space, monkeypatch):
    archs = [CELL, ("none",) * 6, ("skip_connect",) * 6, ("nor_conv_1x1",) * 6]
    truth = [(evaluator.cost(arch), evaluator.evaluate(arch)) for arch in archs]
    build, calls, real = space.build, [], ops.slogdet

    def broken(arch, **options):
        if arch == archs[1]:
            raise RuntimeError("no")
        return build(arch, **options)

    monkeypatch.setattr(space, "build", broken)
    monkeypatch.setattr(ops, "slogdet", lambda k: calls.append(k.shape) or real(k))
    found = list(Together(evaluator).results(archs, lambda: False))
    assert calls == [(3 * 2, 6, 6)]
    assert [index for index, _, _ in found] == [0, 1, 2, 3]
    for (_, cost, one), (true_cost, true) in zip(found, truth, strict=True):
        assert cost == true_cost
        if one.status != "failed":
            assert (one.status, one.scores, one.reason) == (true.status, true.scores, true.reason)
    assert [one.reason for _, _, one in found if one.status == "failed"] == ["RuntimeError: no"]
    asked = iter([False, False, True, True])
    assert len(list(Together(evaluator).results(archs, lambda: next(asked)))) == 2


def test_a_device_that_is_not_there_is_refused(space, batch):
    with pytest.raises(InputError, match="device 'cuda:99' cannot be used"):
        InProcessEvaluator(space, batch, replace(CONFIG, device="cuda:99"))
