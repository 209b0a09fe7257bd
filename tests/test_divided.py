"""A batch that does not fit, in micro-batches: the score of the whole batch, or a sentence that says why not."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers.small_net import OF_THE_SHARED_PASS, Net, batch
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext import divided, passes, proxies
from wrcor_ext.needs import Probe

IMAGES = 7
# What needs all images in one forward, if not in one backward.
OF_ONE_FORWARD = {
    name
    for name in OF_THE_SHARED_PASS
    if any(isinstance(need, Probe) and not need.divides for need in proxies.get(name).needs)
}


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`room(4)`: memory for four images at once, `room(4, forward=7)`: for seven where there is no backward."""
    run, forward = passes._shared_pass, divided._Division._forward

    def limited(graph: int, *, forward: int | None = None) -> None:
        limits.update({True: graph, False: forward or graph})

    def check(images: Tensor, graph: bool) -> None:
        if len(images) > limits[graph]:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    def shared_pass(subject: Any, request: Any, way: Any) -> Any:
        check(subject.images, request.plan.has_graph)
        return run(subject, request, way)

    def part(self: Any, images: Tensor) -> Tensor:
        check(images, torch.is_grad_enabled())
        return forward(self, images)

    limits: dict[bool, float] = {True: math.inf, False: math.inf}
    monkeypatch.setattr(passes, "_shared_pass", shared_pass)
    monkeypatch.setattr(divided._Division, "_forward", part)
    return limited


class Normed(nn.Module):
    """Batch-norms of every kind: without weights, functional, of features, called twice, after one that is skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.plain = nn.BatchNorm2d(6, affine=False, track_running_stats=False)
        self.twice = nn.BatchNorm2d(6, eps=1e-3)
        self.last = nn.BatchNorm1d(6)
        self.head = nn.Linear(6, 4)
        nn.init.normal_(self.twice.weight)
        nn.init.normal_(self.twice.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.plain(self.stem(x)) * 1.5)
        x = F.gelu(self.twice(x)) + F.relu_(self.twice(x.flip(2)))
        x = F.batch_norm(x, None, None, training=True)
        x = torch.batch_norm(x, None, None, None, None, True, 0.1, 1e-5, False)
        return self.head(F.silu(self.last(x.mean((2, 3)))))


class Plain(nn.Module):
    """Nothing couples the images; there are no blocks, no biases and no classes to speak of."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, bias=False)
        self.norm = nn.InstanceNorm2d(6)
        self.conv = nn.Conv2d(6, 4, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.norm(F.relu(self.stem(x)))).relu().mean((2, 3))


def compare(found: wrcor_ext.Scores, truth: wrcor_ext.Scores, relative: float) -> None:
    for name, result in found.items():
        assert result.status == truth[name].status, (name, result)
        if result.status == "ok":
            assert result.value == pytest.approx(truth[name].value, rel=relative, abs=0), name
        kept = {key: value for key, value in result.detail.items() if key not in ("micro_batches", "value", "reason")}
        assert kept == {key: value for key, value in truth[name].detail.items() if key in kept}


@pytest.mark.parametrize("model", [Net, Normed, Plain])
@pytest.mark.parametrize("options", [{}, {"tail": 1, "rule": "reference"}], ids=["all", "tail"])
def test_the_score_is_that_of_the_whole_batch(
    model: type[nn.Module], options: dict[str, Any], room: Callable[..., None]
) -> None:
    torch.manual_seed(0)
    net, (images, labels) = model().double(), batch(IMAGES)
    if model is not Net:
        options = {**options, "rule": "activations"}
    truth = wrcor_ext.score(net, images, labels, proxies=OF_THE_SHARED_PASS, **options)
    room(4, forward=IMAGES)
    found = wrcor_ext.score(net, images, labels, proxies=OF_THE_SHARED_PASS, **options)
    assert found["wrcor"].status == "ok"
    assert found["wrcor"].detail["micro_batches"] == 4
    # A backward of the whole batch for each class.
    assert "does not fit into memory with all its images" in str(found["dyn_isometry"].detail["reason"])
    compare(wrcor_ext.Scores({n: r for n, r in found.items() if n != "dyn_isometry"}, 0.0), truth, 1e-12)


def test_down_to_two_images_of_which_no_more_fit_for_a_forward_either(room: Callable[..., None]) -> None:
    torch.manual_seed(0)
    net, (images, labels) = Net().double(), batch(IMAGES)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    truth = wrcor_ext.score(net, images, labels, proxies=OF_THE_SHARED_PASS)
    room(2)
    found = wrcor_ext.score(net, images, labels, proxies=OF_THE_SHARED_PASS)
    assert found["wrcor"].detail["micro_batches"] == IMAGES
    lost = {name for name, result in found.items() if result.status != truth[name].status}
    assert lost == OF_ONE_FORWARD
    assert all("does not fit into memory with all its images" in str(found[name].detail["reason"]) for name in lost)
    compare(wrcor_ext.Scores({n: r for n, r in found.items() if n not in lost}, 0.0), truth, 1e-12)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    room(1)
    with pytest.raises(wrcor_ext.OutOfMemoryError, match="tried to allocate 9 bytes"):
        wrcor_ext.score(net, images, labels)


@pytest.mark.parametrize("amp", [None, "bfloat16", "float16"])
def test_rounding_moves_it_no_more_than_it_moves_the_whole(amp: Any, room: Callable[..., None]) -> None:
    torch.manual_seed(0)
    net, (images, labels) = Net(), batch(IMAGES)
    names = ("wrcor", "acor", "snip", "fisher", "jacob_cor")
    truth = wrcor_ext.score(net, images, labels, proxies=names, amp=amp)
    room(4)
    found = wrcor_ext.score(net, images, labels, proxies=names, amp=amp)
    compare(found, truth, 1e-5 if amp is None else 0.1)


def test_a_loss_of_the_caller_s_own_may_compare_images(room: Callable[..., None]) -> None:
    def contrast(logits: Tensor, labels: Tensor) -> Tensor:
        z = F.normalize(logits)
        return F.cross_entropy(z @ z.T * 3, (labels[:, None] == labels).double().softmax(1))

    torch.manual_seed(0)
    net, (images, labels) = Net().double(), batch(IMAGES)
    truth = wrcor_ext.score(net, images, labels, proxies=["wrcor", "snip", "fisher"], loss=contrast)
    room(4)
    found = wrcor_ext.score(net, images, labels, proxies=["wrcor", "snip", "fisher"], loss=contrast)
    assert found["wrcor"].detail["micro_batches"] == 4
    compare(found, truth, 1e-12)


def test_a_response_that_is_undefined_for_one_image_is_left_out_for_all(room: Callable[..., None]) -> None:
    torch.manual_seed(0)
    net, (images, labels) = (
        nn.Sequential(nn.Linear(5, 8, bias=False), nn.ReLU(), nn.Linear(8, 6), nn.SiLU()),
        batch(IMAGES),
    )
    images = torch.randn(IMAGES, 5, dtype=torch.float64)
    images[IMAGES // 2] = 0
    net.double()
    truth = wrcor_ext.score(net, images, labels, proxies=["acor", "wrcor", "naswot"])
    assert truth["acor"].detail["skipped"] == 1
    room(4)
    compare(wrcor_ext.score(net, images, labels, proxies=["acor", "wrcor", "naswot"]), truth, 1e-12)


class Coupled(nn.Module):
    """One image changes what becomes of the others."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.ReLU())
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Any:
        x = self.body(x)
        if self.how == "mean":
            x = x - 0.01 * x.mean(0)
        if self.how == "attention":
            x = x + (x @ x.T).softmax(1) @ x
        if self.how == "noise":
            x = x + torch.rand_like(x)
        if self.how == "reshape":
            x = x.view(7, 4, 2).flatten(1)
        if self.how == "calls" and len(x) % 2:
            F.silu(x)
        x = self.head(x)
        return x.sum(0, keepdim=True).expand(4, 4).sum(0) if self.how == "sum" else x


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("mean", "the outputs for an image depend on the other images, and not by batch-norms alone"),
        ("attention", "the outputs for an image depend on the other images, and not by batch-norms alone"),
        ("noise", "the outputs for an image depend on the other images, and not by batch-norms alone"),
        ("reshape", "RuntimeError: shape '[7, 4, 2]' is invalid"),
        ("sum", "has no row per image"),
        ("calls", "its forward does not do the same for every image"),
    ],
)
def test_what_couples_images_is_noticed_and_refused(how: str, reason: str, room: Callable[..., None]) -> None:
    torch.manual_seed(0)
    room(4)
    with pytest.raises(wrcor_ext.OutOfMemoryError) as refused:
        wrcor_ext.score(Coupled(how), batch(IMAGES)[0], proxies=["acor"], levels="flat")
    assert "cannot be computed in micro-batches" in str(refused.value)
    assert reason in str(refused.value)


def test_bad_input_stays_bad_input(room: Callable[..., None]) -> None:
    images, labels = batch(IMAGES)
    room(4)
    with pytest.raises(wrcor_ext.InputError, match="label 4 is out of range"):
        wrcor_ext.score(Net(), images, labels + 1)
    with pytest.raises(wrcor_ext.InputError, match="calls no activation function"):
        wrcor_ext.score(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), images, labels)
    with pytest.raises(wrcor_ext.OutOfMemoryError, match="the loss takes a tuple"):
        wrcor_ext.score(_Wrapped(), images, labels, loss=lambda output, labels: output[0].sum())
    two = wrcor_ext.score(Net(), images, labels, proxies=["params"])
    assert two["params"].status == "ok"


class _Wrapped(Net):
    def forward(self, x: Tensor) -> Any:
        return (super().forward(x),)
