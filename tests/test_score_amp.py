"""Automatic mixed precision: what runs in half precision, what does not, and what it does to a score."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers.small_net import Net, batch
from torch import Tensor

import wrcor_ext
from wrcor_ext import proxies, request
from wrcor_ext.needs import OwnPasses

SENSITIVE = ("epe_score", "plain")


@pytest.mark.parametrize("amp", ["bfloat16", "float16"])
def test_the_passes_run_in_the_type_asked_for(amp: Any) -> None:
    torch.manual_seed(0)
    model, (images, labels) = Net(), batch()
    seen: list[torch.dtype] = []
    model.stem.register_forward_hook(lambda module, args, out: seen.append(out.dtype))
    full = wrcor_ext.score(model, images, labels, proxies=proxies.names())
    half = wrcor_ext.score(model, images, labels, proxies=proxies.names(), amp=amp)
    # The shared pass comes first.
    shared = [torch.float32, getattr(torch, amp)]
    assert [seen[0], seen[len(seen) // 2]] == shared
    assert all(dtype in (torch.float32, torch.float64) for dtype in seen[1 : len(seen) // 2])
    for name, result in half.items():
        assert result.status == "ok", name
        # Logarithms of small correlations and sums that nearly cancel lose more.
        assert result.value == pytest.approx(full[name].value, rel=0.3 if name in SENSITIVE else 0.05), name
        if name in ("swap", "swap_reg", "linear_regions"):  # counts: they need not change
            continue
        # Passes of their own stay in the model's precision.
        own = all(isinstance(need, OwnPasses) for need in proxies.get(name).needs)
        assert (result.value == full[name].value) is own, name
    assert not torch.is_autocast_enabled("cpu")


def test_small_gradients_survive_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss of 1e-5 of the usual: its gradients are below what float16 can hold."""
    torch.manual_seed(0)
    model, (images, labels) = Net(), batch()

    def faint(output: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(output, labels) * 1e-5

    usual = wrcor_ext.score(model, images, labels, proxies=["gcor"], amp="float16")["gcor"]
    found = wrcor_ext.score(model, images, labels, proxies=["gcor"], loss=faint, amp="float16")["gcor"]
    assert found.detail["skipped"] == 0
    assert found.value == pytest.approx(usual.value, rel=1e-2)
    monkeypatch.setattr(request, "FLOAT16_LOSS_SCALE", 1.0)
    lost = wrcor_ext.score(model, images, labels, proxies=["gcor"], loss=faint, amp="float16")["gcor"]
    assert lost.status != "ok" or lost.value != pytest.approx(usual.value, rel=1e-2)


def test_a_loss_in_float16_keeps_its_gradients() -> None:
    """The backward begins with the loss scale as a float16."""
    torch.manual_seed(0)
    model, (images, labels) = Net(), batch()

    def half(output: Tensor, labels: Tensor) -> Tensor:
        return output.half().square().mean()

    full = wrcor_ext.score(model, images, labels, loss=half)["wrcor"]
    found = wrcor_ext.score(model, images, labels, loss=half, amp="float16")["wrcor"]
    assert found.detail == full.detail
    assert found.value == pytest.approx(full.value, rel=1e-2)


def test_the_callers_autocast_has_no_say() -> None:
    torch.manual_seed(0)
    model, (images, labels) = Net(), batch()
    names = ["wrcor", "zen_score"]
    truth = wrcor_ext.score(model, images, labels, proxies=names)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = wrcor_ext.score(model, images, labels, proxies=names)
        assert torch.is_autocast_enabled("cpu")
    assert {name: found[name].value for name in names} == {name: truth[name].value for name in names}


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(wrcor_ext.InputError, match="amp='int8' is unknown: allowed are 'bfloat16', 'float16' and None"):
        wrcor_ext.score(Net(), *batch(), amp="int8")  # type: ignore[arg-type]
