"""Blocks that run again in the backward: the same bits from less memory."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers.small_net import OF_THE_SHARED_PASS, Net, batch
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext import passes
from wrcor_ext.recomputing import recomputable
from wrcor_ext.recorder import Rule

SHORT = "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."


@pytest.fixture
def starved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's memory lasts for a shared pass only where blocks are run again."""
    run = passes._shared_pass

    def starving(subject: Any, request: Any, way: Any) -> Any:
        if way.recomputed is None:
            raise RuntimeError(SHORT)
        return run(subject, request, way)

    monkeypatch.setattr(passes, "_shared_pass", starving)


class Awkward(nn.Module):
    """A block that overwrites its input, one that takes a tuple, one inside another, one that switches graphs off."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.layers = nn.Sequential(
            nn.ReLU(inplace=True), _OfTwo(), _Silent(), nn.Sequential(nn.Conv2d(6, 6, 1), nn.GELU())
        )
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.layers[0](x)
        x = self.layers[1]((x, x.flip(3)), scale=x.new_tensor(2.0))
        x = x + self.layers[2](x)
        return self.head(self.layers[3](x).mean((2, 3)))


class _OfTwo(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(6)

    def forward(self, pair: tuple[Tensor, Tensor], scale: Tensor) -> Tensor:
        return F.relu_(self.norm(pair[0]) * scale) + F.silu(pair[1])


class _Silent(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return F.relu(x)


@pytest.mark.parametrize("model", [Net, Awkward])
@pytest.mark.parametrize("rule", ["activations", "reference"])
@pytest.mark.parametrize(
    "options",
    [{}, {"tail": 2}, {"levels": "flat"}, {"proxies": ("wrcor", "gcor")}, {"proxies": ["wrcor"], "tail": 1}],
    ids=["all", "tail", "flat", "responses", "responses of the tail"],
)
def test_every_bit_is_the_same(
    model: type[nn.Module], rule: Rule, options: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    torch.manual_seed(0)
    net, (images, labels) = model(), batch()
    options = {"proxies": OF_THE_SHARED_PASS, "rule": rule, **options}
    truth = wrcor_ext.score(net, images, labels, **options)
    forwards = [module.__dict__.get("forward") for module in net.modules()]
    request.getfixturevalue("starved")
    found = wrcor_ext.score(net, images, labels, **options)
    assert found["wrcor"].status == "ok" or model is Awkward
    for name, result in found.items():
        assert result.status == truth[name].status
        assert result.value == truth[name].value or result.status != "ok"
        assert result.detail["recomputed"] == 3
    assert "recomputed" not in truth["wrcor"].detail
    assert [module.__dict__.get("forward") for module in net.modules()] == forwards


def test_no_block_is_inside_another_and_none_is_the_whole() -> None:
    net = Net()
    cell = next(net.cells[1].children())
    assert recomputable(net, ()) == list(net.cells)
    assert recomputable(net, [net, net.stem]) == []
    assert recomputable(net, [net.stem, cell, net.cells[1]]) == [net.stem, net.cells[1]]


@pytest.mark.usefixtures("starved")
def test_a_forward_of_the_caller_s_own_is_put_back() -> None:
    net, calls = Net(), []
    block = net.cells[1]

    def own(x: Tensor) -> Tensor:
        calls.append(len(x))
        return nn.Sequential.forward(block, x)

    block.forward = own
    wrcor_ext.score(net, *batch())
    assert block.forward is own
    assert calls == [8, 8]


class Drawing(Net):
    """Draws numbers in a block: in the second run the same ones."""

    def __init__(self) -> None:
        super().__init__()
        self.cells[1].append(_Noise())


class _Noise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x * torch.rand_like(x))


def test_the_second_run_draws_what_the_first_has_drawn(request: pytest.FixtureRequest) -> None:
    torch.manual_seed(0)
    net = Drawing()
    truth = wrcor_ext.score(net, *batch())["wrcor"]
    request.getfixturevalue("starved")
    assert wrcor_ext.score(net, *batch())["wrcor"].value == truth.value


class Changing(Net):
    """A block whose input is overwritten when it has run, or that does something else the second time."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.cells[1] = _Fickle(how)
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        x = self.cells[0](self.stem(x))
        y = self.cells[1](x)
        if self.how == "overwritten":
            x.add_(1)
        return self.head((x + y).mean((2, 3)))


class _Fickle(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        for _ in range(self.calls if self.how == "longer" else 1):
            x = F.silu(x * 2)
        return F.silu(x[:, self.calls % 5 :]).mean() + x if self.how == "other shapes" else x


@pytest.mark.usefixtures("starved")
@pytest.mark.parametrize("how", ["longer", "other shapes"])
def test_a_block_that_does_something_else_the_second_time_is_refused(how: str) -> None:
    with pytest.raises(wrcor_ext.OutOfMemoryError, match="Changing with a batch of shape"):
        wrcor_ext.score(Changing(how), *batch())


def test_one_whose_input_is_gone_is_left_to_micro_batches(request: pytest.FixtureRequest) -> None:
    torch.manual_seed(0)
    net = Changing("overwritten").double()
    truth = wrcor_ext.score(net, *batch())["wrcor"]
    request.getfixturevalue("starved")
    found = wrcor_ext.score(net, *batch())["wrcor"]
    assert "recomputed" not in found.detail
    assert found.detail["micro_batches"] == 4
    assert found.value == pytest.approx(truth.value, rel=1e-12)


_TIGHT = """
import resource, sys
import torch
from torch import nn
import wrcor_ext

torch.set_num_threads(1)
torch.manual_seed(0)
blocks = [nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.GELU(), nn.SiLU()) for _ in range(16)]
net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Sequential(*blocks), nn.Flatten(), nn.Linear(8 * 64 * 64, 4))
images, labels = torch.randn(32, 3, 64, 64), torch.arange(32) % 4
wrcor_ext.score(net, images[:2], labels[:2])  # loads what is loaded once
truth = wrcor_ext.score(net, images, labels, levels="1")["wrcor"]
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 160 * 2**20, resource.RLIM_INFINITY))
found = wrcor_ext.score(net, images, labels, levels="1")["wrcor"]
assert found.value == truth.value, (found, truth)
print(truth.detail.get("recomputed"), found.detail["recomputed"])

net = nn.Sequential(nn.Sequential(*blocks[0], *blocks[1], *blocks[2]), nn.Flatten(), nn.Linear(8 * 64 * 64, 4))
images = torch.randn(32, 8, 64, 64)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
truth = wrcor_ext.score(net, images, labels, levels=[net[0]])["wrcor"]
resource.setrlimit(resource.RLIMIT_AS, (used + 40 * 2**20, resource.RLIM_INFINITY))
found = wrcor_ext.score(net, images, labels, levels=[net[0]])["wrcor"]
assert abs(found.value / truth.value - 1) < 1e-5, (found, truth)
print(truth.detail.get("micro_batches"), found.detail["micro_batches"])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits its address space as Linux does")
def test_a_process_with_little_memory_scores_a_batch_that_would_take_more() -> None:
    """The pass of 32 images takes 270 MiB; where its blocks are run again, 100."""
    # Every tensor in memory of its own: what is freed is there again.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", _TIGHT], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["None", "16", "None", "8"], done.stderr
