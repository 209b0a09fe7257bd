"""Running out of memory in the middle of a pass: the same batch again with less, or one clear sentence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.small_net import OF_THE_SHARED_PASS, Net, batch
from torch import Tensor

import wrcor_ext
from wrcor_ext import passes
from wrcor_ext.response_sums import ResponseSums

SHORT = "CUDA out of memory. Tried to allocate 2.00 GiB.\nA second line of advice."


class Tight(Net):
    """Fits only while what its backward needs is elsewhere, or never."""

    def __init__(self, error: Exception | None = None, *, never: bool = False) -> None:
        torch.manual_seed(0)
        super().__init__()
        self.error = error or torch.OutOfMemoryError(SHORT)
        self.never = never
        self.forwards = 0

    def forward(self, x: Tensor) -> Tensor:
        self.forwards += 1
        out = super().forward(x)
        if self.never or not torch._C._autograd._saved_tensors_hooks_is_enabled() or not offloading():
            raise self.error
        return out


def offloading() -> bool:
    return torch._C._autograd._top_saved_tensors_default_hooks(False) is not None


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError(SHORT),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA"),
    ],
    ids=["torch", "cublas", "cudnn", "cuda"],
)
def test_a_pass_that_does_not_fit_is_run_again_with_the_host_s_memory(error: Exception) -> None:
    images, labels = batch()
    torch.manual_seed(0)
    truth = wrcor_ext.score(Net(), images, labels, proxies=OF_THE_SHARED_PASS)
    model = Tight(error)
    found = wrcor_ext.score(model, images, labels, proxies=OF_THE_SHARED_PASS)
    assert model.forwards == 2
    assert {n: r.value for n, r in found.items()} == {n: r.value for n, r in truth.items()}
    assert all(result.detail["offloaded"] for result in found.values())
    assert "offloaded" not in truth["wrcor"].detail


def test_the_same_bits_come_of_less_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU responses are summed in groups: in others, sums would be rounded differently."""
    ways: list[bool | None] = []

    class Watched(ResponseSums):
        def __init__(self, *args: Any, grouped: bool | None = None) -> None:
            ways.append(grouped)
            super().__init__(*args, grouped=True)

    monkeypatch.setattr(passes, "ResponseSums", Watched)
    images, labels = batch()
    torch.manual_seed(0)
    truth = wrcor_ext.score(Net(), images, labels)["wrcor"]
    found = wrcor_ext.score(Tight(), images, labels)["wrcor"]
    assert ways == [None, None, None]
    assert found.detail["offloaded"]
    assert found.value == truth.value


@pytest.mark.parametrize("name", ["grasp", "zico", "synflow", "trainability", "gradsign"])
def test_a_proxy_with_passes_of_its_own_is_run_again_likewise(name: str) -> None:
    images, labels = batch()
    torch.manual_seed(0)
    truth = wrcor_ext.score(Net(), images, labels, proxies=[name])
    model = Tight()
    assert wrcor_ext.score(model, images, labels, proxies=[name])[name].value == truth[name].value
    never = wrcor_ext.score(Tight(never=True), images, labels, proxies=[name, "params"])
    assert never[name].status == "failed"
    assert "Tight with a batch of shape (8, 3, 8, 8) does not fit into memory" in str(never[name].detail["reason"])
    assert never["params"].status == "ok"


def test_one_that_never_fits_is_refused_in_one_sentence_and_comes_back_as_it_was() -> None:
    images, labels = batch()
    model = Tight(never=True)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(wrcor_ext.OutOfMemoryError) as refused:
        wrcor_ext.score(model, images, labels)
    assert str(refused.value) == (
        "Tight with a batch of shape (8, 3, 8, 8) does not fit into memory: give fewer images, a tail, or "
        "amp='bfloat16' (CUDA out of memory. Tried to allocate 2.00 GiB.)"
    )
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())


def test_without_a_backward_there_is_nothing_to_put_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "save_on_cpu", None)
    with pytest.raises(wrcor_ext.OutOfMemoryError):
        wrcor_ext.score(Tight(), batch()[0], proxies=["acor"])


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to ..."
        ),
        MemoryError("Unable to allocate 8 GiB"),
    ],
)
def test_the_host_s_own_shortage_is_met_by_less_memory_and_then_refused(error: Exception) -> None:
    class Starved(Tight):
        def forward(self, x: Tensor) -> Tensor:
            self.forwards += 1
            raise error

    model = Starved()
    with pytest.raises(wrcor_ext.OutOfMemoryError, match="does not fit into memory"):
        wrcor_ext.score(model, *batch())
    assert model.forwards == 4  # as it is, with blocks run again, in 4 and in 8 parts
    with pytest.raises(wrcor_ext.OutOfMemoryError, match="does not fit into memory"):
        wrcor_ext.score(model, *batch(), proxies=["acor"])
    assert model.forwards == 7


def test_a_response_that_the_model_overwrites_later_is_measured_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where small responses are held back."""

    class Overwriting(Net):
        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            y = x.sigmoid()  # keeps its result for the backward, not x
            x.mul_(0.5)
            return self.head((x + y).mean((2, 3)))

    ways: list[bool | None] = []

    class Grouped(ResponseSums):
        def __init__(self, *args: Any, grouped: bool | None = None) -> None:
            ways.append(grouped)
            super().__init__(*args, grouped=True if grouped is None else grouped)

    torch.manual_seed(0)
    model, (images, labels) = Overwriting(), batch()
    truth = wrcor_ext.score(model, images, labels, proxies=["acor", "wrcor"])
    monkeypatch.setattr(passes, "ResponseSums", Grouped)
    found = wrcor_ext.score(model, images, labels, proxies=["acor", "wrcor"])
    assert ways == [None, False]
    assert {n: r.value for n, r in found.items()} == {n: r.value for n, r in truth.items()}
