"""`wrcor_ext.score`: values against a direct numpy computation, options, layouts, threads, results."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.small_net import OF_RESPONSES, Net, batch
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext import proxies
from wrcor_ext.needs import Probe, Seen, Subject, Watch
from wrcor_ext.proxies import registry


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
    assert set(truth) == set(OF_RESPONSES)
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


def test_a_need_that_raises_after_the_shared_pass_fails_alone(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Watch):
        def finish(self, subject: Subject, seen: Seen) -> Any:
            raise ZeroDivisionError("no such number")

    class Breaking(Probe):
        def watch(self, subject: Subject) -> Watch:
            return Broken()

    monkeypatch.setitem(registry._PROXIES, "acor", replace(registry.get("acor"), needs=(Breaking(),)))
    scores = wrcor_ext.score(net, *batch(), proxies=["acor", "rcor"])
    assert scores["rcor"].status == "ok"
    assert scores["acor"].detail["reason"] == "ZeroDivisionError: no such number"
    assert "in finish" in str(scores["acor"].detail["traceback"])


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


@pytest.mark.parametrize(("device", "forwards"), [("cpu", 2), ("meta", 1)])
def test_a_model_that_fails_is_run_again_where_another_layout_was_tried(device: str, forwards: int) -> None:
    class Failing(Net):
        def forward(self, x: Tensor) -> Tensor:
            calls.append(x)
            raise RuntimeError("no")

    calls: list[Tensor] = []
    with pytest.raises(RuntimeError, match="no"):
        wrcor_ext.score(Failing().to(device), *batch())
    assert len(calls) == forwards


def test_channels_last_and_slices_of_a_batch_score_alike(net: Net) -> None:
    images, labels = batch(16)
    truth = wrcor_ext.score(net, images[4:12].clone(), labels[4:12])["wrcor"].value
    assert wrcor_ext.score(net, images[4:12], labels[4:12])["wrcor"].value == truth
    strided = images.to(memory_format=torch.channels_last)[4:12]
    assert wrcor_ext.score(net, strided, labels[4:12])["wrcor"].value == truth


# With every proxy, and so as small as their families go.
TORCHVISION: dict[str, dict[str, Any]] = {
    "resnet18": {},
    "mobilenet_v3_small": {},
    "ConvNeXt": {"block_setting": [(24, 48, 1), (48, 64, 1), (64, None, 2)]},
    "VisionTransformer": {
        "image_size": 64,
        "patch_size": 16,
        "num_layers": 3,
        "num_heads": 2,
        "hidden_dim": 48,
        "mlp_dim": 96,
    },
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvision_networks(name: str) -> None:
    models = pytest.importorskip("torchvision.models", reason="torchvision is an optional extra")
    torch.manual_seed(0)
    options = dict(TORCHVISION[name])
    if name == "ConvNeXt":
        options["block_setting"] = [models.convnext.CNBlockConfig(*block) for block in options["block_setting"]]
    model = getattr(models, name)(num_classes=4, **options)
    if name == "VisionTransformer":
        nn.init.normal_(
            model.heads.head.weight
        )  # torchvision starts it at zero, and then no gradient reaches the blocks
    images, labels = torch.randn(4, 3, 64, 64), torch.arange(4) // 2
    scores = wrcor_ext.score(model, images, labels, proxies=proxies.names())
    for proxy, result in scores.items():
        if name == "VisionTransformer" and result.status == "failed":
            assert "pools no feature map" in str(result.detail["reason"]), (proxy, result)
            continue
        assert result.status == "ok", (proxy, result)
        assert math.isfinite(result.value)
    assert scores["wrcor"].detail["ignored"] == 0
    assert scores["rcor"].detail["used"] == 2 * scores["acor"].detail["used"]


def test_a_network_of_constant_responses_is_degenerate() -> None:
    model = Net()
    with torch.no_grad():
        model.stem.weight.zero_()
    images, labels = batch()
    for name, result in wrcor_ext.score(model, images, labels, proxies=OF_RESPONSES).items():
        assert result.status == "degenerate", name
        assert math.isnan(result.value)
        assert "reason" in result.detail


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_parameter_that_is_not_finite_is_named_as_the_reason(net: Net, bad: float) -> None:
    with torch.no_grad():
        net.cells[0][2].weight[0, 0, 0, 0] = bad
    scores = wrcor_ext.score(net, *batch(), proxies=["gcor", "snip"])
    for result in scores.values():
        assert result.status == "degenerate"
        assert str(result.detail["reason"]).startswith("a parameter of the model is not finite (")
    healthy = Net().double()
    healthy.register_parameter("unused", nn.Parameter(torch.tensor(bad, dtype=torch.float64)))
    assert wrcor_ext.score(healthy, *batch())["wrcor"].status == "ok"


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
