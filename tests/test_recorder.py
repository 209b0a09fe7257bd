"""The recorder against direct computation: every activation call, before it happens, with its branch's gradient."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wrcor_ext import levels
from wrcor_ext.recorder import Recorder


class Log:
    """A sink that keeps copies."""

    def __init__(self) -> None:
        self.activations: list[tuple[int, Tensor]] = []
        self.gradients: list[tuple[int, Tensor]] = []

    def activation(self, level: int, response: Tensor, *, overwritten: bool = False) -> None:
        self.activations.append((level, response.detach().clone()))

    def gradient(self, level: int, response: Tensor) -> None:
        self.gradients.append((level, response.detach().clone()))


def record(model: nn.Module, x: Tensor, **options: object) -> Log:
    log = Log()
    model.requires_grad_(False)
    recorder = Recorder(model, log, **options)  # type: ignore[arg-type]
    with recorder:
        out = model(x)
    recorder.backward(out.square().sum())
    return log


class Mixed(nn.Module):
    """Modules and functions, in place and not, one tensor feeding three consumers."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(5, 6)
        self.relu_ = nn.ReLU(inplace=True)
        self.b = nn.Linear(6, 6)
        self.c = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu_(self.a(x))
        y = self.b(x)
        z = F.gelu(y) + torch.tanh(y) + y
        z = F.leaky_relu(z, 0.1, True)
        z = torch.relu_(z - 0.1).sigmoid()
        return self.c(F.softsign(z))


def test_every_kind_of_call_is_seen_before_it_happens() -> None:
    torch.manual_seed(0)
    model, x = Mixed(), torch.randn(4, 5)
    log = record(model, x)
    a = model.a(x)
    y = model.b(a.relu())
    z = F.gelu(y) + y.tanh() + y
    w = F.leaky_relu(z, 0.1) - 0.1
    s = w.relu()
    expected = [a, y, y, z, w, s, s.sigmoid()]
    assert len(log.activations) == len(expected)
    for (_, seen), truth in zip(log.activations, expected, strict=True):
        torch.testing.assert_close(seen, truth)


def test_gradient_is_that_of_the_branch_alone() -> None:
    torch.manual_seed(0)
    model, x = Mixed(), torch.randn(4, 5)
    log = record(model, x)

    a = model.a(x).requires_grad_()
    y = model.b(a.relu())
    branches = [y.detach().requires_grad_() for _ in range(2)]
    z = F.gelu(branches[0]) + branches[1].tanh() + y
    z.retain_grad()
    w = F.leaky_relu(z, 0.1) - 0.1
    w.retain_grad()
    s = w.relu()
    s.retain_grad()
    t = s.sigmoid()
    t.retain_grad()
    model.c(F.softsign(t)).square().sum().backward()
    truth = [t.grad, s.grad, w.grad, z.grad, branches[0].grad, branches[1].grad]
    assert all(g is not None for g in truth)
    assert len(log.gradients) == 7
    seen = [g for _, g in log.gradients]
    for gradient in truth:
        assert any(gradient.shape == g.shape and torch.allclose(gradient, g, atol=1e-7) for g in seen)


def test_first_call_in_place_needs_no_earlier_graph() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.ReLU(inplace=True), nn.Linear(6, 2))
    x = torch.randn(3, 5)
    log = record(model, x)
    hidden = model[0](x).detach().requires_grad_()
    model[2](hidden.relu()).square().sum().backward()
    torch.testing.assert_close(log.activations[0][1], hidden.detach())
    torch.testing.assert_close(log.gradients[0][1], hidden.grad)


def test_parameters_get_no_gradient_and_hooks_are_gone() -> None:
    model = Mixed()
    record(model, torch.randn(4, 5))
    assert all(p.grad is None for p in model.parameters())
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())
    assert F.relu(torch.tensor([-1.0])).item() == 0.0  # the function mode is gone


def test_an_exception_in_forward_removes_hooks_and_mode() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("broken")

    model = nn.Sequential(nn.ReLU(), Broken())
    log = Log()
    with pytest.raises(RuntimeError, match="broken"), Recorder(model, log, blocks=tuple(model)):
        model(torch.randn(2, 3))
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())
    seen = len(log.activations)
    F.relu(torch.ones(2, 2))
    assert len(log.activations) == seen == 1


class ReLUConvBN(nn.Module):
    """A composite whose class name matches the reference rule."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(self.relu(x)))


class Pooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.edge = ReLUConvBN()
        self.lastact = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        return self.lastact(self.edge(x)).mean((2, 3))


def test_reference_rule_counts_composites_and_reads_in_place_relu_afterwards() -> None:
    torch.manual_seed(0)
    model, x = Pooled(), torch.randn(4, 3, 6, 6)
    log = record(model, x, rule="reference")

    entry = x.clone().requires_grad_()
    conv = model.edge.conv(entry.relu())
    conv.retain_grad()
    normed = model.lastact[0](model.edge.norm(conv))
    normed.retain_grad()
    after = normed.relu()
    after.mean((2, 3)).square().sum().backward()

    # Hooks fire when a module is left: the inner ReLU, the composite, then lastact's ReLU.
    for (_, seen), truth in zip(log.activations, [x, x, after], strict=True):
        torch.testing.assert_close(seen, truth)
    for (_, seen), truth in zip(log.gradients, [normed.grad, conv.grad, entry.grad], strict=True):
        torch.testing.assert_close(seen, truth)


def test_levels_follow_the_blocks_and_earlier_ones_stay_out_of_the_graph() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(5)))
    x = torch.randn(3, 4)
    everything = record(model, x, blocks=tuple(model))
    assert [level for level, _ in everything.activations] == [0, 1, 2, 3, 4]
    assert [level for level, _ in everything.gradients] == [4, 3, 2, 1, 0]
    tail = record(model, x, blocks=tuple(model), first_level=3)
    assert [level for level, _ in tail.activations] == [3, 4]
    for (level, seen), (same, truth) in zip(tail.gradients, everything.gradients[:2], strict=True):
        assert level == same
        assert torch.equal(seen, truth)


@pytest.mark.parametrize(
    ("name", "calls", "blocks"),
    [("resnet18", 17, 8), ("mobilenet_v3_small", None, None), ("convnext_tiny", 18, None), ("vit_b_16", 12, 13)],
)
def test_torchvision_networks_give_one_gradient_per_call(name: str, calls: int | None, blocks: int | None) -> None:
    torchvision = pytest.importorskip("torchvision", reason="torchvision is an optional extra")
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)()
    size = 224 if name.startswith("vit") else 64
    opening = levels.resolve(model)
    log = record(model, torch.randn(2, 3, size, size), blocks=opening)
    assert len(log.activations) == len(log.gradients) > 0
    if calls is not None:
        assert len(log.activations) == calls
    if blocks is not None:
        assert len(opening) == blocks
    assert [level for level, _ in log.activations] == sorted(level for level, _ in log.activations)


@pytest.mark.parametrize("rule", ["activations", "reference"])
def test_a_call_that_the_loss_does_not_depend_on_has_the_gradient_zero(rule: str) -> None:
    class Dead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.ReLU(), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            self.unused(x[:, :3] - 1)
            return self.used(x)

    x = torch.randn(4, 5)
    log = record(Dead(), x, rule=rule)
    (used, unused) = (gradient for _, gradient in log.gradients)
    assert torch.equal(used, 2 * x.relu())
    assert torch.equal(unused, torch.zeros(4, 3))


class OnAView(nn.Module):
    """An activation of a view of a convolution's output, whose base is used afterwards as well."""

    def __init__(self, view: str, in_place: bool, module: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(in_place)
        self.view, self.in_place, self.module = view, in_place, module

    def forward(self, x: Tensor) -> Tensor:
        h = self.second(self.first(x).tanh() if self.module else self.first(x))
        views = {
            "flatten": lambda: h.flatten(2),
            "permute": lambda: h.permute(0, 2, 3, 1),
            "unsqueeze": lambda: h.unsqueeze(1),
            "slice": lambda: h[:, :2],
        }
        part = views[self.view]()
        out = self.relu(part) if self.module else F.relu(part, inplace=self.in_place)
        return out.flatten(1).sum(1) + h.flatten(1).square().sum(1)


@pytest.mark.parametrize("view", ["flatten", "permute", "unsqueeze", "slice"])
@pytest.mark.parametrize("rule", ["activations", "reference"])
@pytest.mark.parametrize("first_level", [0, 1])
def test_an_in_place_activation_of_a_view_gives_the_gradient_of_its_branch(
    view: str, rule: str, first_level: int
) -> None:
    torch.manual_seed(0)
    model, x = OnAView(view, in_place=True, module=rule == "reference"), torch.randn(3, 3, 5, 5)
    log = record(model, x, rule=rule, blocks=(model.first, model.second), first_level=first_level)

    h = model.second(model.first(x).tanh() if rule == "reference" else model.first(x))
    part = (
        {
            "flatten": h.flatten(2),
            "permute": h.permute(0, 2, 3, 1),
            "unsqueeze": h.unsqueeze(1),
            "slice": h[:, :2],
        }[view]
        .clone()
        .requires_grad_()
    )
    after = part.relu()
    overwritten = {
        "flatten": lambda: after.unflatten(2, (5, 5)),
        "permute": lambda: after.permute(0, 3, 1, 2),
        "unsqueeze": lambda: after.squeeze(1),
        "slice": lambda: torch.cat([after, h[:, 2:].detach()], 1),
    }[view]()
    out = after.flatten(1).sum(1) + overwritten.flatten(1).square().sum(1)
    out.square().sum().backward()

    level, response = log.activations[-1]
    assert level == 1
    torch.testing.assert_close(response, after.detach() if rule == "reference" else part.detach())
    torch.testing.assert_close(log.gradients[0][1], part.grad)


@pytest.mark.parametrize("view", [False, True])
def test_an_in_place_composite_hands_back_what_its_relu_does(view: bool) -> None:
    class ReLUInside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inplace = True
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.relu(x)

    torch.manual_seed(0)
    convolution, part = nn.Conv2d(3, 4, 3), torch.randn(3, 3, 5, 5)
    log = record(nn.Sequential(convolution, *[nn.Flatten()] * view, ReLUInside()), part, rule="reference")
    hidden = convolution(part).detach()
    hidden = (hidden.flatten(1) if view else hidden).requires_grad_()
    hidden.relu().square().sum().backward()
    assert len(log.gradients) == 2
    for _, gradient in log.gradients:
        torch.testing.assert_close(gradient, hidden.grad)


def test_where_the_model_switches_gradients_off_they_are_zero() -> None:
    class Off(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                hidden = F.gelu(x)
            return F.relu(hidden + x)

    log = record(Off(), torch.randn(4, 5))
    assert len(log.gradients) == 2
    assert torch.equal(log.gradients[1][1], torch.zeros(4, 5))
