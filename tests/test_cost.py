"""`cost.count`: formulas worked out by hand, the counter's blind spots, and models that come back untouched."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from helpers.counted import flops_and_params
from torch import nn

from wrcor_ext import spaces
from wrcor_ext.cost import count, count_made
from wrcor_ext.errors import InputError
from wrcor_ext.spaces import Cost


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(6, 8, 3, padding=1), Cost(9 * 6 * 8 * 64, 9 * 6 * 8 + 8)),
        (nn.Conv2d(6, 6, 5, groups=6, bias=False), Cost(25 * 6 * 16, 25 * 6)),
        (nn.Conv2d(6, 4, 1, groups=2, stride=2), Cost(3 * 4 * 16, 3 * 4 + 4)),
        (nn.ConvTranspose2d(6, 2, 2, stride=2, bias=False), Cost(4 * 6 * 2 * 64, 4 * 6 * 2)),
        (nn.Sequential(nn.Flatten(), nn.Linear(384, 10)), Cost(3840, 3850)),
        (nn.Sequential(nn.BatchNorm2d(6), nn.ReLU(), nn.AvgPool2d(2)), Cost(0, 12)),
    ],
)
def test_layers_cost_what_their_formula_says(layer, expected, device):
    if device == "meta":
        layer = layer.to_empty(device="meta")
    assert flops_and_params(count(layer, (6, 8, 8))) == expected


class Formula(nn.Module):
    """A convolution that keeps the shape, and what a function makes of it and of its input."""

    def __init__(self, formula):
        super().__init__()
        self.conv = nn.Conv2d(6, 6, 3, padding=1)
        self.formula = formula

    def forward(self, x):
        return self.formula(x, self.conv(x))


def maxima(x, y):
    """Values and places of the maxima over the one image, both read."""
    values, places = y.max(0)
    return values * places


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(
    ("model", "numbers", "layers"),
    [
        (nn.Conv2d(6, 8, 3, padding=1), (6 + 8) * 64, 1),
        (nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.PReLU(8)), (6 + 8) * 64, 1),
        (nn.Sequential(nn.Hardswish(), nn.Conv2d(6, 2, 1), nn.Hardswish()), (6 + 2) * 64, 1),
        (nn.MaxPool2d(2), 6 * 64 + 6 * 16, 0),  # nobody reads the places of its maxima
        (nn.Sequential(nn.Flatten(), nn.Linear(384, 10), nn.Linear(10, 9, bias=False)), 384 + 10, 2),
        (nn.Identity(), 384, 0),
        (nn.GELU(), 384, 0),
        (nn.GLU(1), 384 + 192, 0),
        (Formula(lambda x, y: y.relu() + x), 3 * 384, 1),
        (Formula(lambda x, y: y.add_(x)), 2 * 384, 1),
        (Formula(lambda x, y: y + torch.relu(y)), 3 * 384, 1),  # y is read again
        (Formula(lambda x, y: y[:, :3] * y[:, 3:]), 384 + 384, 1),  # 384 + 192 in the product: slices are views
        (Formula(lambda x, y: torch.cat([x, y], 1)), 4 * 384, 1),
        (Formula(lambda x, y: y.flatten(2) @ x.flatten(2).transpose(1, 2)), 2 * 384 + 36, 1),
        (Formula(lambda x, y: (y, x * x + x)), 4 * 384, 1),  # y is returned
        (Formula(maxima), (1 + 1 + 2) * 384, 1),  # places have eight bytes
        (nn.Sequential(nn.Conv2d(6, 8, 1), nn.BatchNorm2d(8)).double(), (6 + 8) * 64, 1),  # in float32 all the same
    ],
)
def test_memory_and_layers(model, numbers, layers, device):
    if device == "meta":
        model = model.to_empty(device="meta")
    found = count(model, (6, 8, 8))
    assert (found.memory, found.layers) == (4 * numbers, layers)


def test_the_memory_of_a_published_network():
    """The fullest moment of ResNet-18: the stem's 64 channels at 112 x 112, and what max-pooling makes of them."""
    torchvision = pytest.importorskip("torchvision")
    cost = count_made(torchvision.models.resnet18)
    assert (cost.memory, cost.layers) == (4 * 64 * (112**2 + 56**2), 21)


class Attention(nn.Module):
    """Self-attention over the pixels, by one of torch's three ways; one image at a time."""

    def __init__(self, way, looks):
        super().__init__()
        self.way = way
        self.looks = looks
        if way == "module":
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        elif way == "encoder":
            self.attention = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, dropout=0.0, batch_first=True)

    def forward(self, x):
        if self.looks and x.sum() > 0:  # so that it has to be computed, by the kernels of the CPU
            return x
        tokens = x.flatten(2).transpose(1, 2)
        if self.way == "function":
            heads = tokens.unsqueeze(1)
            return F.scaled_dot_product_attention(heads, heads, heads)
        if self.way == "module":
            return self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return self.attention(tokens)


@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize(("way", "projections"), [("function", 0), ("module", 4 * 64), ("encoder", 4 * 64 + 2 * 128)])
def test_attention_counts_in_spite_of_fused_kernels(way, projections, looks):
    tokens, width = 5 * 7, 8
    expected = 2 * tokens**2 * width + tokens * projections  # Q K^T and the weighted sum of V, then the linear layers
    assert count(Attention(way, looks), (width, 5, 7)).flops == expected


def test_shared_and_frozen_parameters():
    first = nn.Linear(4, 4, bias=False)
    first.weight.requires_grad_(False)
    # Parameters are counted once, layers as often as they are computed.
    assert count(nn.Sequential(first, first), (4,)) == Cost(32, 16, memory=4 * (4 + 4), layers=2)


class LooksAtValues(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.register_buffer("calls", torch.zeros(()))
        self.scale = torch.ones(3)  # neither parameter nor buffer

    def forward(self, x):
        self.calls += 1
        return self.linear(x * self.scale) if x.sum() < 1 else x


def test_a_forward_that_needs_values_is_computed_once_and_leaves_no_trace():
    model = LooksAtValues().train()
    before = torch.get_rng_state()
    assert count(model, (3,)) == Cost(6, 8, memory=4 * (3 + 2), layers=1)
    assert model.calls == 0
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.backends.mha.get_fastpath_enabled()


def test_count_made_falls_back_where_building_needs_values():
    def make():
        width = int(torch.linspace(2, 4, 2).tolist()[-1])  # what timm did for stochastic depth
        return nn.Linear(3, width)

    assert count_made(make, (3,)) == Cost(12, 16, memory=4 * (3 + 4), layers=1)


def test_count_made_takes_no_memory_for_weights():
    huge = count_made(lambda: nn.Linear(10**6, 10**6), (10**6,))
    assert flops_and_params(huge) == Cost(10**12, 10**12 + 10**6)


def test_agrees_with_a_space_that_counts_by_formula():
    space = spaces.get("nasbench201", stem_width=4, cells_per_stage=1)
    arch = space.parse("|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|")
    assert count_made(lambda: space.build(arch), (3, 16, 16)) == space.cost(arch, image_size=16)


def test_what_cannot_run_is_refused_in_one_sentence():
    with pytest.raises(InputError, match=r"Conv2d cannot be counted for an input of 3x8x8: \w+: ") as caught:
        count(nn.Conv2d(4, 4, 3), (3, 8, 8))
    assert "\n" not in str(caught.value)


def test_lazy_modules_are_refused():
    with pytest.raises(InputError, match="Sequential has lazy modules"):
        count(nn.Sequential(nn.LazyLinear(3)), (3,))


def test_an_input_without_size_is_refused():
    with pytest.raises(InputError, match=r"input_shape=0 is not"):
        count(nn.ReLU(), (3, 0, 8))
