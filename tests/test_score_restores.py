"""`score` gives the model, the caller's images and the random states back as they were."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from helpers.small_net import OF_THE_SHARED_PASS, Net, batch
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext import proxies
from wrcor_ext.needs import OwnPasses


def state(model: nn.Module) -> dict[str, Any]:
    return {
        "modes": [m.training for m in model.modules()],
        "requires": [p.requires_grad for p in model.parameters()],
        "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "values": [p.detach().clone() for p in model.parameters()],
        "buffers": [b.clone() for b in model.buffers()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules()],
        "random": (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()),  # noqa: NPY002
    }


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return bool((one == other).all())
    return bool(one == other)


class Bomb(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("forward went wrong")


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("rule", ["activations", "reference"])
@pytest.mark.parametrize("tail", [None, "auto"])
def test_the_model_and_the_random_state_come_back(fails: bool, rule: Any, tail: Any) -> None:
    torch.manual_seed(0)
    model = Net()
    model.eval()
    model.cells[1].train()
    model.stem.weight.requires_grad_(False)
    model.head.weight.grad = torch.ones_like(model.head.weight)
    model.head.register_forward_hook(lambda module, args, out: None)
    if fails:
        model.cells.append(Bomb())
    buffers = list(model.buffers())
    before = state(model)
    images, labels = batch()
    if fails:
        with pytest.raises(RuntimeError, match="forward went wrong"):
            wrcor_ext.score(model, images, labels, proxies=OF_THE_SHARED_PASS, rule=rule, tail=tail)
    else:
        wrcor_ext.score(model, images, labels, proxies=OF_THE_SHARED_PASS, rule=rule, tail=tail)
    assert same(before, state(model))
    assert all(a is b for a, b in zip(buffers, model.buffers(), strict=True))


@pytest.mark.parametrize("fails", [False, True])
def test_passes_of_their_own_leave_no_trace_either(fails: bool) -> None:
    torch.manual_seed(0)
    model = Net()
    model.eval()
    model.cells[1].train()
    model.head.weight.grad = torch.ones_like(model.head.weight)
    if fails:
        model.cells.append(Bomb())
    images, labels = batch()
    before, kept = state(model), images.clone()
    for name in proxies.names():
        if all(isinstance(need, OwnPasses) and need.forwards for need in proxies.get(name).needs):
            result = wrcor_ext.score(model, images, labels, proxies=[name])[name]
            failed = fails and name != "params"  # which is counted without a forward
            assert (result.status == "failed") is failed, (name, result)
            assert ("forward went wrong" in str(result.detail)) is failed, (name, result)
            assert same(before, state(model)), name
    assert torch.equal(images, kept)


@pytest.mark.parametrize("rule", ["activations", "reference"])
@pytest.mark.parametrize("tail", [None, "auto"])
def test_a_model_that_overwrites_its_input_leaves_the_images_alone(rule: Any, tail: Any) -> None:
    images, labels = batch()
    images = images.to(memory_format=torch.channels_last)
    before = images.clone()
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(192, 4))
    assert wrcor_ext.score(model, images, labels, rule=rule, tail=tail)["wrcor"].status == "ok"
    assert torch.equal(images, before)


def test_a_buffer_that_the_forward_registers_is_gone_afterwards() -> None:
    class Registering(Net):
        def forward(self, x: Tensor) -> Tensor:
            self.register_buffer("extra", torch.ones(3), persistent=False)
            return super().forward(x)

    model = Registering()
    wrcor_ext.score(model, *batch())
    assert "extra" not in dict(model.named_buffers())
