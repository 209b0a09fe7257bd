"""`score_many`: the values of `score`, one log-determinant for all, and nothing that a GPU is waited for on the way."""

from __future__ import annotations

import pickle
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from helpers.small_net import OF_RESPONSES, Net, batch
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext import ops, proxies, scoring


def nets(count: int) -> list[Net]:
    torch.manual_seed(0)
    return [Net(levels=1 + i % 3) for i in range(count)]


def test_the_values_are_those_of_single_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = batch()
    truth = [wrcor_ext.score(net, images, labels, proxies=OF_RESPONSES, tail=2) for net in nets(5)]
    calls: list[tuple[int, ...]] = []
    real = ops.slogdet

    def counting(k: Tensor) -> tuple[Tensor, Tensor]:
        calls.append(tuple(k.shape))
        return real(k)

    monkeypatch.setattr(ops, "slogdet", counting)
    found = wrcor_ext.score_many(nets(5), images, labels, proxies=OF_RESPONSES, tail=2)
    assert calls == [(5 * len(OF_RESPONSES), 8, 8)]
    for one, other in zip(truth, found, strict=True):
        assert {name: r.value for name, r in one.items()} == {name: r.value for name, r in other.items()}
        assert {name: r.detail for name, r in one.items()} == {name: r.detail for name, r in other.items()}
        assert other.seconds > 0


def test_models_are_built_when_it_is_their_turn_and_not_kept() -> None:
    alive: list[weakref.ref[Net]] = []

    def built() -> Iterator[Net]:
        for net in range(3):
            assert all(reference() is None for reference in alive[:-1]), net
            model = Net()
            alive.append(weakref.ref(model))
            yield model
            del model

    assert len(wrcor_ext.score_many(built(), *batch())) == 3


def test_the_batch_is_checked_and_brought_to_a_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the two would make the host wait for what the models before have left to do."""
    seen: list[Tensor] = []
    real_check, real_run = scoring.check_batch, scoring.passes.run
    checks: list[Tensor] = []

    def check(images: Tensor, *rest: Any, **options: Any) -> None:
        checks.append(images)
        real_check(images, *rest, **options)

    def run(model: Any, images: Tensor, *rest: Any) -> Any:
        seen.append(images)
        return real_run(model, images, *rest)

    monkeypatch.setattr(scoring, "check_batch", check)
    monkeypatch.setattr(scoring.passes, "run", run)
    with pytest.raises(NotImplementedError, match="meta"):
        wrcor_ext.score_many([net.to("meta") for net in nets(3)], *batch())
    assert len(checks) == 1
    assert len(seen) == 3
    assert all(images.is_meta and images is seen[0] for images in seen)


def test_what_is_kept_of_a_model_is_small() -> None:
    """Weights take a megabyte here, features half of one; what hundreds of models leave must fit into memory."""
    convolutions = [nn.Sequential(nn.Conv2d(c, 96, 3, padding=1), nn.ReLU()) for c in (3, 96, 96, 96)]
    model = nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 4))
    measurement = scoring.measure(model, *batch(), proxies=proxies.names())
    for need, result in measurement.measured.results.items():
        assert len(pickle.dumps(result)) < 8192, need


def test_no_models_give_no_scores() -> None:
    assert wrcor_ext.score_many([], *batch()) == []


@pytest.mark.parametrize("rule", ["activations", "reference"])
@pytest.mark.parametrize("tail", [None, 2, "auto"])
def test_no_value_is_read_between_the_first_forward_and_the_log_determinants(rule: Any, tail: Any) -> None:
    """Tensors of the device `meta` have no values: reading one, or copying it elsewhere, raises."""
    measurement = scoring.measure(Net().to("meta"), *batch(), proxies=OF_RESPONSES, rule=rule, tail=tail)
    with pytest.raises(NotImplementedError, match="meta"):
        scoring.finish([measurement])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("rule", ["activations", "reference"])
@pytest.mark.parametrize("tail", [None, 2, "auto"])
@pytest.mark.parametrize("amp", [None, "bfloat16", "float16"])
def test_a_gpu_is_not_waited_for(rule: Any, tail: Any, amp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = batch()
    (model,) = nets(1)
    names = OF_RESPONSES
    truth = wrcor_ext.score(model, images, labels, proxies=names, rule=rule, tail=tail)
    model, images, labels = model.cuda(), images.cuda(), labels.cuda()
    run = scoring.passes.run

    def watched(*args: Any) -> Any:
        torch.cuda.set_sync_debug_mode("error")
        try:
            return run(*args)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(scoring.passes, "run", watched)
    found = wrcor_ext.score(model, images, labels, proxies=names, rule=rule, tail=tail, amp=amp)
    for name in names:
        assert found[name].value == pytest.approx(truth[name].value, rel=1e-3 if amp is None else 0.1), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_not_waited_for_between_models() -> None:
    images, labels = batch()
    truth = wrcor_ext.score_many(nets(4), images, labels, proxies=OF_RESPONSES)
    models = [net.cuda() for net in nets(4)]

    def watched() -> Iterator[Net]:
        yield models[0]
        torch.cuda.set_sync_debug_mode("error")
        yield from models[1:]
        torch.cuda.set_sync_debug_mode("default")

    try:
        found = wrcor_ext.score_many(watched(), images, labels, proxies=OF_RESPONSES)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for one, other in zip(truth, found, strict=True):
        for name in OF_RESPONSES:
            assert other[name].value == pytest.approx(one[name].value, rel=1e-3), name
