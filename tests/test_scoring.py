"""`wrcor_ext.score`: values against a direct numpy computation, options, restoring the model, bad input."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext import InputError, proxies, scoring
from wrcor_ext.proxies import registry


class Net(nn.Module):
    """Three levels of two responses with batch-norm, dropout and a tensor that feeds two activations."""

    def __init__(self, levels: int = 3, classes: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.cells = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.GELU()) for _ in range(levels)
        )
        self.head = nn.Linear(6, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for cell in self.cells:
            x = cell(x)
        return self.head(x.mean((2, 3)))


def batch(n: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, 8, 8, generator=generator), torch.arange(n) % 4


def responses(model: Net, images: Tensor, labels: Tensor) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Per level the activation and gradient responses, by plain autograd."""
    x = model.stem(images)
    seen: list[list[Tensor]] = []
    for cell in model.cells:
        a = cell[0](x)
        b = cell[2](a.relu())
        seen.append([a, b])
        x = F.gelu(b)
    loss = F.cross_entropy(model.head(x.mean((2, 3))), labels)
    gradients = torch.autograd.grad(loss, [t for level in seen for t in level])
    return seen, [list(gradients[i : i + 2]) for i in range(0, len(gradients), 2)]


def summed(levels: Sequence[Sequence[Tensor]], weight: Any = lambda level: 1.0, first: int = 0) -> np.ndarray:
    k = 0.0
    for level, tensors in enumerate(levels):
        if level >= first:
            k = k + sum(weight(level) * np.abs(np.corrcoef(t.detach().flatten(1).double().numpy())) for t in tensors)
    return np.asarray(k)


def agreement(response: Tensor) -> np.ndarray:
    """On how many units each pair of images agrees about the sign."""
    signs = (response.detach().flatten(1) > 0).numpy()
    return np.array([[np.count_nonzero(one == other) for other in signs] for one in signs], dtype=float)


def log_abs_det(k: np.ndarray) -> float:
    return float(np.linalg.slogdet(k)[1])


@pytest.fixture
def net() -> Net:
    torch.manual_seed(3)
    return Net().double()


def test_every_proxy_against_numpy(net: Net) -> None:
    images, labels = batch()
    images = images.double()
    a, g = responses(copy.deepcopy(net), images, labels)
    a_signs, g_signs = (sum(agreement(t) for level in levels for t in level) for levels in (a, g))
    truth = {
        "wrcor": log_abs_det(summed(a, lambda level: 2**level) + summed(g, lambda level: 2**level)),
        "rcor": log_abs_det(summed(a) + summed(g)),
        "acor": log_abs_det(summed(a)),
        "gcor": log_abs_det(summed(g)),
        "naswot": log_abs_det(a_signs),
        "grad_hamming": log_abs_det(g_signs),
        "act_grad_hamming": log_abs_det(a_signs + g_signs),
    }
    assert set(truth) == set(proxies.names())
    scores = wrcor_ext.score(net, images, labels, proxies=list(truth))
    assert list(scores) == list(truth)
    for name, value in truth.items():
        assert scores[name].status == "ok"
        assert scores[name].value == pytest.approx(value, rel=1e-10), name
    assert scores["wrcor"].detail["used"] == 12
    assert scores["acor"].detail["used"] == 6
    assert scores["wrcor"].detail["levels"] == 3


@pytest.mark.parametrize("tail", [1, 2, 3, 99])
def test_tail_keeps_the_last_levels_of_weighted_proxies_only(net: Net, tail: int) -> None:
    images, labels = batch()
    images = images.double()
    a, g = responses(copy.deepcopy(net), images, labels)
    first = max(0, 3 - tail)
    truth = log_abs_det(summed(a, lambda level: 2**level, first) + summed(g, lambda level: 2**level, first))
    scores = wrcor_ext.score(net, images, labels, proxies=("wrcor", "acor"), tail=tail)
    assert scores["wrcor"].value == pytest.approx(truth, rel=1e-10)
    assert scores["wrcor"].detail["first_level"] == first
    assert scores["acor"].value == pytest.approx(log_abs_det(summed(a)), rel=1e-10)


def test_tail_runs_the_head_without_a_graph(net: Net) -> None:
    images, labels = batch()
    in_graph: list[bool] = []
    for cell in net.cells:
        cell.register_forward_hook(lambda module, args, out: in_graph.append(out.requires_grad))
    wrcor_ext.score(net, images, labels, tail=1)
    assert in_graph == [False, False, True]


def test_no_parameter_gradient_is_computed(net: Net) -> None:
    images, labels = batch()
    during: list[bool] = []
    net.head.register_forward_hook(lambda module, args, out: during.extend(p.requires_grad for p in net.parameters()))
    wrcor_ext.score(net, images, labels)
    assert during
    assert not any(during)


def test_auto_tail_is_the_smallest_with_under_a_512th_left_out() -> None:
    images, labels = batch()
    scores = wrcor_ext.score(Net(levels=12), images, labels, tail="auto")
    # Two responses on every level: the share left out by t levels is (2^(12-t) - 1) / (2^12 - 1).
    smallest = next(t for t in range(1, 13) if (2 ** (12 - t) - 1) / (2**12 - 1) < 2**-9)
    assert scores["wrcor"].detail["first_level"] == 12 - smallest
    assert wrcor_ext.score(Net(levels=2), images, labels, tail="auto")["wrcor"].detail["first_level"] == 0


def test_a_tensor_with_several_uses_is_measured_once_and_counted_often(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fan(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x).flatten(1) + F.relu(x).flatten(1) * 2 + F.silu(x).flatten(1)

    from wrcor_ext import response_sums

    measured = []
    real = response_sums._ACCUMULATE["correlation"]

    def counting(k: Tensor, x: Tensor, weight: float, counts: Tensor) -> None:
        measured.append(x.shape)
        real(k, x, weight, counts)

    monkeypatch.setitem(response_sums._ACCUMULATE, "correlation", counting)
    images, _ = batch()
    scores = wrcor_ext.score(Fan(), images, proxies=["acor"])
    assert len(measured) == 1
    assert scores["acor"].detail["used"] == 3
    truth = log_abs_det(3 * np.abs(np.corrcoef(images.flatten(1).double().numpy())))
    assert scores["acor"].value == pytest.approx(truth, rel=1e-6)


def test_the_same_call_gives_the_same_bits_whatever_the_threads() -> None:
    torch.manual_seed(0)
    model, (images, labels) = Net(), batch(16)
    threads = torch.get_num_threads()
    try:
        values = []
        for count in (1, 2, 1):
            torch.set_num_threads(count)
            values.append(wrcor_ext.score(model, images, labels, proxies=["acor", "naswot"])["acor"].value)
    finally:
        torch.set_num_threads(threads)
    assert values[0] == values[2]
    assert values[0] == pytest.approx(values[1], rel=1e-6)  # the network's own convolutions may split work otherwise


def test_dropout_adds_no_noise_and_other_draws_follow_the_seed() -> None:
    class Noise(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.randn_like(x)

    torch.manual_seed(0)
    images, labels = batch()
    head = [nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 4)]
    plain = wrcor_ext.score(nn.Sequential(nn.Flatten(), nn.Identity(), *head), images, labels)["wrcor"].value
    dropout = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), *head)
    assert wrcor_ext.score(dropout, images, labels)["wrcor"].value == plain
    one, same, other = (
        wrcor_ext.score(nn.Sequential(nn.Flatten(), Noise(), *head), images, labels, seed=s)["wrcor"].value
        for s in (1, 1, 2)
    )
    assert one == same != other
    assert plain != one


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
            wrcor_ext.score(model, images, labels, rule=rule, tail=tail)
    else:
        wrcor_ext.score(model, images, labels, rule=rule, tail=tail)
    assert same(before, state(model))
    assert all(a is b for a, b in zip(buffers, model.buffers(), strict=True))


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


def test_a_model_that_needs_its_own_memory_layout_is_scored_in_it() -> None:
    class Viewing(Net):
        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.stem(x)).view(len(x), 6, -1).mean(2))

    torch.manual_seed(0)
    model, (images, labels) = Viewing(), batch()
    result = wrcor_ext.score(model, images, labels, levels="flat")["wrcor"]
    stem = model.stem(images).detach().requires_grad_()
    F.cross_entropy(model.head(stem.relu().mean((2, 3))), labels).backward()
    truth = log_abs_det(summed([[stem, stem.grad]]))
    assert result.value == pytest.approx(truth, rel=1e-5)


def test_counting_for_the_automatic_tail_draws_nothing_from_the_scored_pass() -> None:
    class Noisy(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x + torch.randn(1))

    torch.manual_seed(0)
    model, (images, labels) = Noisy(levels=1), batch()
    exact = wrcor_ext.score(model, images, labels)["wrcor"].value
    assert wrcor_ext.score(model, images, labels, tail="auto")["wrcor"].value == exact


def test_threads_do_not_disturb_each_other() -> None:
    class Noisy(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x + torch.randn(1))

    torch.manual_seed(0)
    model, (images, labels) = Noisy(), batch()
    truth = wrcor_ext.score(model, images, labels)["wrcor"].value
    before = torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda _: wrcor_ext.score(model, images, labels)["wrcor"].value, range(24)))
    assert set(values) == {truth}
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.requires_grad for p in model.parameters())


def test_a_proxy_that_raises_fails_alone(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(k: Tensor) -> Any:
        raise ZeroDivisionError("no such number")

    monkeypatch.setitem(registry._PROXIES, "acor", replace(registry.get("acor"), compute=broken))
    scores = wrcor_ext.score(net, *batch(), proxies=["acor", "rcor"])
    assert scores["rcor"].status == "ok"
    assert scores["acor"].status == "failed"
    assert math.isnan(scores["acor"].value)
    assert scores["acor"].detail["reason"] == "ZeroDivisionError: no such number"
    assert "in broken" in str(scores["acor"].detail["traceback"])


def test_gradients_that_do_not_arrive_are_counted(net: Net) -> None:
    images, labels = batch()
    with torch.no_grad():
        net.head.weight.zero_()
    scores = wrcor_ext.score(net, images, labels, proxies=["rcor", "gcor", "acor"])
    assert scores["gcor"].status == "degenerate"
    assert scores["rcor"].detail["gradients_used"] == 0
    assert (scores["rcor"].detail["used"], scores["rcor"].detail["skipped"]) == (6, 6)
    assert "gradients_used" not in scores["acor"].detail


def test_responses_without_the_batch_in_front_are_named_as_the_reason() -> None:
    class SequenceFirst(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.relu(x.flatten(2).permute(2, 0, 1)).mean(0)

    result = wrcor_ext.score(SequenceFirst(), *batch(), proxies=["acor"])["acor"]
    assert result.status == "degenerate"
    assert result.detail["ignored"] == 1
    assert "first dimension" in str(result.detail["reason"])


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.uint8])
def test_labels_of_any_integer_type(net: Net, dtype: torch.dtype) -> None:
    images, labels = batch()
    truth = wrcor_ext.score(net, images, labels)["wrcor"].value
    assert wrcor_ext.score(net, images, labels.to(dtype))["wrcor"].value == truth


def test_images_made_in_inference_mode() -> None:
    with torch.inference_mode():
        images, labels = batch()
    model = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(192, 4))
    assert wrcor_ext.score(model, images, labels)["wrcor"].status == "ok"


def test_works_inside_no_grad_and_inference_mode(net: Net) -> None:
    images, labels = batch()
    truth = wrcor_ext.score(net, images, labels)["wrcor"].value
    with torch.no_grad():
        assert wrcor_ext.score(net, images, labels)["wrcor"].value == truth
    with torch.inference_mode():
        assert wrcor_ext.score(net, images, labels)["wrcor"].value == truth


def test_channels_last_and_slices_of_a_batch_score_alike(net: Net) -> None:
    images, labels = batch(16)
    truth = wrcor_ext.score(net, images[4:12].clone(), labels[4:12])["wrcor"].value
    assert wrcor_ext.score(net, images[4:12], labels[4:12])["wrcor"].value == truth
    strided = images.to(memory_format=torch.channels_last)[4:12]
    assert wrcor_ext.score(net, strided, labels[4:12])["wrcor"].value == truth


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "convnext_tiny", "vit_b_16"])
def test_torchvision_networks(name: str) -> None:
    models = pytest.importorskip("torchvision.models", reason="torchvision is an optional extra")
    torch.manual_seed(0)
    model = getattr(models, name)(num_classes=4)
    size = 224 if name.startswith("vit") else 64
    if name == "vit_b_16":
        nn.init.normal_(
            model.heads.head.weight
        )  # torchvision starts it at zero, and then no gradient reaches the blocks
    images, labels = torch.randn(4, 3, size, size), torch.arange(4)
    scores = wrcor_ext.score(model, images, labels, proxies=proxies.names())
    for proxy, result in scores.items():
        assert result.status == "ok", (proxy, result)
        assert math.isfinite(result.value)
    assert scores["wrcor"].detail["ignored"] == 0
    assert scores["rcor"].detail["used"] == 2 * scores["acor"].detail["used"]


def test_a_network_of_constant_responses_is_degenerate() -> None:
    model = Net()
    with torch.no_grad():
        model.stem.weight.zero_()
    images, labels = batch()
    for name, result in wrcor_ext.score(model, images, labels, proxies=proxies.names()).items():
        assert result.status == "degenerate", name
        assert math.isnan(result.value)
        assert "reason" in result.detail


def test_duplicate_images_are_degenerate() -> None:
    images, _ = batch()
    images[1] = images[0]
    result = wrcor_ext.score(nn.Sequential(nn.ReLU(), nn.Flatten()), images, proxies=["naswot"])["naswot"]
    assert result.status == "degenerate"
    assert "singular" in str(result.detail["reason"])


def test_names_aliases_and_custom_loss(net: Net) -> None:
    images, labels = batch()
    scores = wrcor_ext.score(net, images, labels, proxies=["act_cor", "acor", "wrcor"])
    assert list(scores) == ["acor", "wrcor"]
    assert scores["act_cor"] is scores["acor"]
    with pytest.raises(KeyError):
        scores["gcor"]
    summed_logits = wrcor_ext.score(net, images, labels, loss=lambda out, _: out.sum())["wrcor"].value
    assert summed_logits != scores["wrcor"].value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": torch.randn(1, 3, 8, 8), "labels": torch.zeros(1, dtype=torch.long)}, "batch of 1"),
        ({"images": torch.randn(600, 3, 2, 2), "labels": torch.zeros(600, dtype=torch.long)}, "batch of 600"),
        ({"images": torch.randn(8)}, "no batch"),
        ({"labels": torch.arange(7)}, "8 images but labels"),
        ({"labels": None}, "labels are missing"),
        ({"labels": torch.full((8,), 4)}, "label 4 is out of range: the model has classes 0 to 3"),
        ({"labels": torch.full((8,), -1)}, "label -1 is out of range"),
        ({"images": torch.randn(8, 3, 8, 8).index_fill(0, torch.tensor([5]), math.nan)}, "image 5 holds NaN"),
        ({"proxies": ["wrcr"]}, "did you mean wrcor"),
        ({"proxies": []}, "no proxy"),
        ({"rule": "both"}, "unknown rule 'both'"),
        ({"tail": 0}, "tail=0"),
        ({"tail": True}, "tail=True"),
        ({"tail": "all"}, "tail='all'"),
        ({"model": nn.Sequential(nn.Flatten(), nn.Linear(192, 4))}, "no activation function"),
        ({"model": nn.Sequential(nn.Flatten(), nn.GELU()), "rule": "reference"}, "class name contains ReLU"),
        ({"levels": "nowhere"}, "nowhere"),
        ({"levels": None}, "levels=None"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": "a"}, "seed='a'"),
        ({"labels": [0] * 8}, "labels are list"),
        ({"labels": torch.zeros(8)}, "labels are torch.float32"),
        ({"images": [0] * 8}, "images are list"),
        ({"images": torch.zeros(8, 3, 8, 8, dtype=torch.uint8)}, "images are torch.uint8"),
        ({"model": F.relu}, "not a torch.nn.Module"),
        ({"model": nn.LazyLinear(3)}, "parameter weight has no size yet"),
        ({"loss": lambda out, labels: 1.0}, "loss returned float"),
        ({"loss": lambda out, labels: out}, "a scalar tensor is needed"),
    ],
)
def test_bad_input_gets_one_sentence(change: dict[str, Any], message: str) -> None:
    images, labels = batch()
    call: dict[str, Any] = {"model": Net(), "images": images, "labels": labels} | change
    with pytest.raises(InputError, match=message) as caught:
        wrcor_ext.score(call.pop("model"), call.pop("images"), call.pop("labels"), **call)
    assert "\n" not in str(caught.value)


def test_a_model_made_in_inference_mode_is_refused() -> None:
    with torch.inference_mode():
        model = Net()
    with pytest.raises(InputError, match=r"parameter stem.weight was made under torch.inference_mode"):
        wrcor_ext.score(model, *batch())


def test_a_model_without_logits_is_told_about_loss() -> None:
    class Dictionary(Net):
        def forward(self, x: Tensor) -> Any:
            return {"out": super().forward(x)}

    images, labels = batch()
    with pytest.raises(InputError, match="returns dict, not logits"):
        wrcor_ext.score(Dictionary(), images, labels)
    own = wrcor_ext.score(Dictionary(), images, labels, loss=lambda out, y: F.cross_entropy(out["out"], y))
    assert own["wrcor"].status == "ok"
    assert scoring.MAX_IMAGES == 512
