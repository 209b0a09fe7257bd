"""Scores of pruning at initialisation against direct computations on a small network."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from helpers.small_net import Net, batch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

import wrcor_ext
from wrcor_ext import proxies
from wrcor_ext.plan import plan

OF_THE_LOSS = ("plain", "grad_norm", "snip", "fisher")
OF_THE_WEIGHTS = ("l2_norm", "layerwise_dyn_isometry")
ALL = (*OF_THE_LOSS, *OF_THE_WEIGHTS, "grasp", "synflow", "synflow_bn")


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().double().train()


def layers(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if type(m) in (nn.Conv2d, nn.Linear)]


def gradients(model: nn.Module, images: Tensor, labels: Tensor) -> list[Tensor]:
    model.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    return [layer.weight.grad.clone() for layer in layers(model)]


def naive_grasp(model: nn.Module, images: Tensor, labels: Tensor, step: float = 1e-5) -> float:
    """H g by central differences of the gradient along itself."""
    weights = [layer.weight for layer in layers(model)]
    g = gradients(model, images, labels)
    sides = []
    for sign in (1, -1):
        moved = copy.deepcopy(model)
        with torch.no_grad():
            for layer, direction in zip(layers(moved), g, strict=True):
                layer.weight += sign * step * direction
        sides.append(gradients(moved, images, labels))
    products = [(plus - minus) / (2 * step) for plus, minus in zip(*sides, strict=True)]
    return -sum(float((w * hg).detach().sum()) for w, hg in zip(weights, products, strict=True))


def naive_fisher(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Of a gate z = 1 on every channel of every image: activation x gradient is the gradient of the gate."""
    gates: list[tuple[nn.Module, Tensor]] = []

    def gated(layer: nn.Module, args: object, out: Tensor) -> Tensor:
        gate = torch.ones(out.shape[:2], dtype=out.dtype, requires_grad=True)
        gates.append((layer, gate))
        return out * gate.view(*gate.shape, *[1] * (out.dim() - 2))

    handles = [layer.register_forward_hook(gated) for layer in layers(model)]
    # A mean over images: the gate of one of them sees its own share of the loss alone.
    F.cross_entropy(model(images), labels).backward()
    for handle in handles:
        handle.remove()
    return sum(float((gate.grad**2).mean(0).sum() / 2) * layer.weight[0].numel() for layer, gate in gates)


def naive_synflow(model: nn.Module, image: Tensor) -> float:
    model = copy.deepcopy(model).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    model(image.double()).sum().backward()
    return sum(float((layer.weight * layer.weight.grad).detach().abs().sum()) for layer in layers(model))


def without_norms(model: Net) -> Net:
    bare = copy.deepcopy(model)
    for cell in bare.cells:
        cell[0] = nn.Identity()
    return bare


def test_against_a_direct_computation(net: Net) -> None:
    images, labels = batch()
    images, ones = images.double(), torch.ones(1, 3, 8, 8)
    weights, g = [layer.weight.detach() for layer in layers(net)], gradients(net, images, labels)
    truth = {
        "plain": sum(float((w * d).sum()) for w, d in zip(weights, g, strict=True)),
        "snip": sum(float((w * d).abs().sum()) for w, d in zip(weights, g, strict=True)),
        "grad_norm": sum(float((d**2).sum()) ** 0.5 for d in g),
        "l2_norm": sum(float((w**2).sum()) ** 0.5 for w in weights),
        "layerwise_dyn_isometry": -sum(
            float((w.flatten(1) @ w.flatten(1).T - torch.eye(len(w))).norm()) for w in weights
        ),
        "fisher": naive_fisher(net, images, labels),
        "synflow": naive_synflow(without_norms(net), ones),
        "synflow_bn": naive_synflow(net, ones),
    }
    found = wrcor_ext.score(net, images, labels, proxies=ALL)
    assert {name: found[name].value for name in truth} == pytest.approx(truth, rel=1e-9)
    assert found["grasp"].value == pytest.approx(naive_grasp(net, images, labels), rel=1e-6)


def test_a_layer_with_more_outputs_than_inputs() -> None:
    model = nn.Sequential(nn.Linear(3, 50), nn.ReLU(), nn.Linear(50, 2)).double()
    truth = -sum(float((m.weight @ m.weight.T - torch.eye(len(m.weight))).detach().norm()) for m in layers(model))
    images, labels = torch.randn(4, 3, dtype=torch.float64), torch.arange(4) % 2
    name = "layerwise_dyn_isometry"
    assert wrcor_ext.score(model, images, labels, proxies=[name])[name].value == pytest.approx(truth, rel=1e-12)


def test_fisher_sees_activations_before_they_are_overwritten() -> None:
    """An activation with a slope on both sides: what it leaves behind is not what the layer gave."""

    def network(inplace: bool) -> nn.Module:
        torch.manual_seed(0)
        act: Callable[[], nn.Module] = lambda: nn.LeakyReLU(0.3, inplace=inplace)  # noqa: E731
        return nn.Sequential(
            nn.Conv2d(3, 5, 3), act(), nn.Conv2d(5, 4, 3), act(), nn.Flatten(), nn.Linear(64, 4), act()
        )

    images, labels = batch()
    model = network(inplace=False).double()
    truth = naive_fisher(model, images.double(), labels)
    found = wrcor_ext.score(network(inplace=True).double(), images, labels, proxies=["fisher"])["fisher"]
    assert found.value == pytest.approx(truth, rel=1e-12)


def test_fisher_of_tokens_and_of_a_layer_that_is_called_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:  # [N, 5, 6]
            return self.layer(torch.tanh(self.layer(x))).mean(1)

    torch.manual_seed(0)
    model, images, labels = Twice().double(), torch.randn(4, 5, 6, dtype=torch.float64), torch.arange(4)
    outs: list[Tensor] = []

    def keep(layer: nn.Module, args: object, out: Tensor) -> None:
        out.retain_grad()
        outs.append(out)

    handle = model.layer.register_forward_hook(keep)
    F.cross_entropy(model(images), labels).backward()
    handle.remove()
    flows = [(out * out.grad).detach() for out in outs]
    truth = 0.0
    for image in range(4):
        for channel in range(6):
            total = sum(float(flow[image, token, channel]) for flow in flows for token in range(5))
            truth += 6 * 0.5 * total**2 / 4
    found = wrcor_ext.score(model, images, labels, proxies=["fisher"], rule="activations")["fisher"]
    assert found.value == pytest.approx(truth, rel=1e-12)


def test_synflow_is_that_of_float64_whatever_the_network_has(net: Net) -> None:
    images, labels = batch()
    single = copy.deepcopy(net).float()
    for name in ("synflow", "synflow_bn"):
        found = wrcor_ext.score(single, images, labels, proxies=[name])[name].value
        bare = single if name == "synflow_bn" else without_norms(single)
        assert found == pytest.approx(naive_synflow(bare, torch.ones(1, 3, 8, 8)), rel=1e-9)


@pytest.mark.parametrize("fails", [False, True])
def test_synflow_gives_the_weights_back_bit_for_bit(net: Net, fails: bool) -> None:
    net.float()
    with torch.no_grad():
        net.stem.weight[0, 0, 0, :2] = torch.tensor([0.0, -0.0])
    net.head.weight.grad = torch.ones_like(net.head.weight)
    tied = net.cells[0][2].weight
    net.cells[1][2].weight = tied
    if fails:
        net.head.register_forward_hook(lambda layer, args, out: 1 / 0)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    memory = [p.data_ptr() for p in net.parameters()]
    for name in ("synflow", "synflow_bn"):
        result = wrcor_ext.score(net, *batch(), proxies=[name])[name]
        assert result.status == ("failed" if fails else "ok"), result
        assert [p.data_ptr() for p in net.parameters()] == memory
        for key, value in net.state_dict().items():
            assert value.dtype == state[key].dtype
            assert value.numpy().tobytes() == state[key].numpy().tobytes(), key
    assert net.cells[1][2].weight is tied
    assert torch.equal(net.head.weight.grad, torch.ones_like(net.head.weight))


def test_a_batch_norm_over_one_value_gives_its_offset() -> None:
    """As behind the global pooling of squeeze-excite, where torch refuses a batch of one image."""
    torch.manual_seed(0)
    stem, norm, head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)
    nn.init.uniform_(norm.bias)
    model = nn.Sequential(stem, nn.AdaptiveAvgPool2d(1), norm, nn.ReLU(), nn.Flatten(), head)
    found = wrcor_ext.score(model, *batch(), proxies=["synflow_bn"], loss=lambda out, labels: out.sum())["synflow_bn"]
    truth = float((head.weight.double().abs() * norm.bias.double().abs()).detach().sum())
    assert found.value == pytest.approx(truth, rel=1e-12)


def test_what_the_loss_asks_for_shares_one_forward_and_one_backward() -> None:
    shared = plan([proxies.get(name) for name in OF_THE_LOSS])
    assert (shared.forwards, shared.backwards) == (1, 1)
    looked_at = plan([proxies.get(name) for name in OF_THE_WEIGHTS])
    assert (looked_at.forwards, looked_at.backwards) == (0, 0)


def test_they_do_not_disturb_each_other(net: Net) -> None:
    images, labels = batch()
    together = wrcor_ext.score(net, images, labels, proxies=proxies.names())
    for name in ALL:
        assert wrcor_ext.score(net, images, labels, proxies=[name])[name].value == together[name].value, name


def test_without_weights_there_is_nothing_to_sum() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    scores = wrcor_ext.score(model, *batch(), loss=lambda out, labels: out.sum(), proxies=ALL)
    for name, result in scores.items():
        assert result.status == "failed", name
        assert result.detail["reason"] == "the model has no convolution and no linear layer"
        assert "traceback" not in result.detail


def test_weights_that_the_loss_does_not_depend_on_count_as_nothing(net: Net) -> None:
    images, labels = batch()
    truth = wrcor_ext.score(net, images, labels, proxies=ALL)
    net.idle = nn.Linear(5, 5).double()
    found = wrcor_ext.score(net, images, labels, proxies=ALL)
    for name in set(ALL) - set(OF_THE_WEIGHTS):
        assert found[name].value == truth[name].value, name


def test_a_flow_beyond_float64_is_degenerate_with_a_reason() -> None:
    model = nn.Sequential(nn.Flatten(), *(nn.Linear(192, 192, bias=False) for _ in range(70)), nn.ReLU())
    with torch.no_grad():
        for layer in layers(model):
            layer.weight.fill_(1e6)
    images, labels = batch()
    result = wrcor_ext.score(model, images, labels, proxies=["synflow"])["synflow"]
    assert result.status == "degenerate"
    assert "exceeds the largest float64" in str(result.detail["reason"])


def test_grasp_goes_through_hard_sigmoids_and_attention() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.gate, self.head = nn.Linear(3, 24), nn.Linear(8, 8), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            q, k, v = self.qkv(x.flatten(2).transpose(1, 2)).unflatten(-1, (3, 1, 8)).permute(2, 0, 3, 1, 4)
            x = F.scaled_dot_product_attention(q, k, v)[:, 0].mean(1)
            gate = self.gate(x) + 0.0
            return self.head(x * F.hardsigmoid(gate, inplace=True) * gate)

    torch.manual_seed(0)
    model, (images, labels) = Attending().double(), batch()
    found = wrcor_ext.score(model, images, labels, proxies=["grasp"])["grasp"]
    assert found.value == pytest.approx(naive_grasp(model, images.double(), labels), rel=1e-5)


OF_WEIGHTS = ["plain", "grad_norm", "snip", "fisher", "grasp", "synflow", "synflow_bn", "zico", "zen"]


def test_a_parametrized_weight_is_the_weight_that_the_network_works_with(net: Net) -> None:
    images, labels = batch()
    parametrized = copy.deepcopy(net)
    parametrize.register_parametrization(parametrized.stem, "weight", nn.Tanh())
    plain = copy.deepcopy(net)
    with torch.no_grad():
        plain.stem.weight.tanh_()
    found, truth = (wrcor_ext.score(model, images, labels, proxies=OF_WEIGHTS) for model in (parametrized, plain))
    for name in OF_WEIGHTS:
        assert found[name].value == pytest.approx(truth[name].value, rel=1e-6), name
    assert found["plain"].value != pytest.approx(wrcor_ext.score(net, images, labels, proxies=["plain"])["plain"].value)


def test_a_weight_that_a_hook_makes_anew_is_refused(net: Net) -> None:
    prune.l1_unstructured(net.stem, "weight", 0.5)
    scores = wrcor_ext.score(net, *batch(), proxies=[*OF_WEIGHTS, "wrcor", "ntk_condition"])
    for name in OF_WEIGHTS:
        assert scores[name].status == "failed", name
        assert str(scores[name].detail["reason"]).startswith("a hook makes the weight of a Conv2d anew")
    assert scores["wrcor"].status == scores["ntk_condition"].status == "ok"
