from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.golden import cases, fill, inputs
from torch import nn

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.spaces.nets.nasbench201 import InferCell, ReLUConvBN

SPACE = spaces.get("nasbench201")
SMALL = spaces.get("nasbench201", stem_width=4, cells_per_stage=2)
ALL_CONV = ("nor_conv_3x3",) * 6
MIXED = ("nor_conv_3x3", "skip_connect", "nor_conv_1x1", "none", "avg_pool_3x3", "nor_conv_3x3")


def test_parameters_come_in_the_golden_order():
    for case in cases("nasbench201"):
        model = SPACE.build(
            SPACE.parse(case["arch"]),
            num_classes=case["classes"],
            stem_width=case["C"],
            cells_per_stage=case["N"],
            seed=0,
        )
        shapes = [list(p.shape) for p in model.parameters()]
        assert shapes[:6] == case["param_shapes_head"]
        assert sum(p.numel() for p in model.parameters()) == case["n_params"]
        images, labels = inputs(case)
        assert images.shape == (case["batch"], 3, case["input_size"], case["input_size"])
        assert labels.shape == (case["batch"],)
        fill(model, case["weight_seed"])
        assert all(p.abs().sum() == 0 for n, p in model.named_parameters() if n.endswith("bias"))


@pytest.mark.parametrize("index", [0, 6, 9])
def test_gradients_are_those_of_the_published_network(index):
    case = cases("nasbench201")[index]
    model = fill(SPACE.build(SPACE.parse(case["arch"])), case["weight_seed"]).double()
    images, labels = inputs(case)
    nn.functional.cross_entropy(model(images.double()), labels).backward()
    weights = [m.weight for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear)) and m.weight.grad is not None]
    # The published SNIP and gradient norm, which sum over convolutions and classifier.
    snip = sum((weight.grad * weight).abs().sum().item() for weight in weights)
    grad_norm = sum(weight.grad.norm().item() for weight in weights)
    assert snip == pytest.approx(case["scores_float64"]["snip"], rel=1e-10)
    assert grad_norm == pytest.approx(case["scores_float64"]["grad_norm"], rel=1e-10)


def test_edges_are_registered_node_by_node():
    cell = InferCell(ALL_CONV, 4)
    assert list(cell.edges) == ["1<-0", "2<-0", "2<-1", "3<-0", "3<-1", "3<-2"]
    names = [name.split(".")[0] for name, _ in SMALL.build(ALL_CONV).named_children()]
    assert names == ["stem", "cells", "lastact", "global_pooling", "classifier"]
    reduction = SMALL.build(ALL_CONV).cells[2]
    assert [name for name, _ in reduction.named_children()] == ["conv_a", "conv_b", "shortcut"]


def reference_forward(model, arch, images):
    """The network once more, in functional calls on its own parameters, taken in their order."""
    parameters = iter(model.parameters())
    f = nn.functional

    def bn(x):
        weight, bias = next(parameters), next(parameters)
        return f.batch_norm(x, None, None, weight, bias, training=True)

    def conv(x, kernel, stride=1):
        return bn(f.conv2d(f.relu(x), next(parameters), stride=stride, padding=kernel // 2))

    def cell(x):
        nodes = [x, 0, 0, 0]
        edges = iter(arch)
        for node in (1, 2, 3):
            for source in range(node):
                value = nodes[source] + torch.zeros_like(x)
                op = next(edges)
                if op == "skip_connect":
                    nodes[node] = nodes[node] + value
                elif op == "avg_pool_3x3":
                    ones = f.avg_pool2d(torch.ones_like(value), 3, 1, 1)
                    nodes[node] = nodes[node] + f.avg_pool2d(value, 3, 1, 1) / ones
                elif op != "none":
                    nodes[node] = nodes[node] + conv(value, int(op[-1]))
        return nodes[3] + torch.zeros_like(x)

    x = bn(f.conv2d(images, next(parameters), padding=1))
    for stage in range(3):
        if stage:
            y = conv(conv(x, 3, stride=2), 3)
            pooled = (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4
            x = f.conv2d(pooled, next(parameters)) + y
        for _ in range(2):
            x = cell(x)
    x = f.relu(bn(x)).mean(dim=(2, 3))
    logits = f.linear(x, next(parameters), next(parameters))
    assert next(parameters, None) is None
    return logits


def test_forward_agrees_with_a_second_writing_of_the_paper():
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.standard_normal((4, 3, 16, 16)))
    for arch in [ALL_CONV, MIXED, ("none",) * 6, *(SMALL.sample(rng) for _ in range(20))]:
        model = fill(SMALL.build(arch), 1).double()
        torch.testing.assert_close(model(images), reference_forward(model, arch, images), rtol=1e-9, atol=1e-9)


def test_channels_last_gives_the_same_logits():
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model = SPACE.build(MIXED, seed=1).double()
    expected = model(images.double())
    model = model.to(memory_format=torch.channels_last)
    seen = []
    for cell in model.cells:
        cell.register_forward_hook(
            lambda _m, _i, out: seen.append(out.is_contiguous(memory_format=torch.channels_last))
        )
    torch.testing.assert_close(model(images.double().to(memory_format=torch.channels_last)), expected)
    assert all(seen)
    assert len(seen) == 17


def test_consumers_of_a_node_get_the_same_tensor():
    seen = {}
    cell = InferCell(("skip_connect", "nor_conv_1x1", "nor_conv_3x3", "nor_conv_3x3", "none", "nor_conv_1x1"), 4)
    for name, edge in cell.edges.items():
        edge.register_forward_hook(lambda _m, inputs, out, name=name: seen.update({name: (inputs[0], out)}))
    x = torch.randn(2, 4, 8, 8)
    cell(x)
    assert seen["2<-0"][0] is seen["3<-0"][0] is x
    assert seen["2<-1"][0] is x, "a node that is one skip of another is that node"
    assert "3<-1" not in seen
    assert cell.edges["2<-0"].__class__ is ReLUConvBN


def test_a_node_without_input_is_zero_and_stays_in_the_graph():
    model = SMALL.build(("none",) * 6, seed=0)
    images = torch.randn(2, 3, 8, 8, requires_grad=True)
    outputs = []
    for cell in model.cells:
        cell.register_forward_hook(lambda m, _i, out: outputs.append(out) if isinstance(m, InferCell) else None)
    model(images).sum().backward()
    assert len(outputs) == 6
    assert all(not out.any() for out in outputs)
    assert images.grad is not None
    assert not images.grad.any()
    assert all(p.grad is not None for p in model.parameters())


def test_relu_never_changes_a_node():
    x = torch.randn(2, 4, 8, 8)
    before = x.clone()
    InferCell(ALL_CONV, 4, batch_norm=False)(x)
    assert torch.equal(x, before)


def test_without_batch_norm():
    model = SMALL.build(MIXED, batch_norm=False, seed=0)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert all(m.bias is None for m in model.modules() if isinstance(m, nn.Conv2d))
    model(torch.randn(2, 3, 8, 8)).sum().backward()


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(0)
    one = SMALL.build(MIXED, seed=3)
    torch.manual_seed(1)
    again, other = SMALL.build(MIXED, seed=np.int64(3)), SMALL.build(MIXED, seed=4)
    pairs = list(zip(one.parameters(), again.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(p, q) for p, q, _ in pairs)
    assert not all(torch.equal(p, r) for p, _, r in pairs)


def test_a_seeded_build_leaves_no_trace():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    model = SMALL.build(MIXED, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(InputError), torch.device("meta"):
        SMALL.build(MIXED, seed=-3)
    with torch.device("meta"):
        on_meta = SMALL.build(MIXED, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(model.classifier.weight, on_meta.classifier.weight), "a seed means the same on every device"
    assert model.training


def test_an_unseeded_build_follows_the_global_generator():
    torch.manual_seed(5)
    one = SMALL.build(MIXED)
    two = SMALL.build(MIXED)
    torch.manual_seed(5)
    again = SMALL.build(MIXED)
    assert torch.equal(one.classifier.weight, again.classifier.weight)
    assert not torch.equal(one.classifier.weight, two.classifier.weight)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "1"])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(InputError, match="is not a whole number from 0"):
        SMALL.build(MIXED, seed=seed)


def test_initialisation_is_the_published_one():
    model = SPACE.build(ALL_CONV, seed=0)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            weight = module.weight.detach()
            bound = weight[0].numel() ** -0.5
            assert weight.abs().max() <= bound
            assert weight.std() == pytest.approx(bound / 3**0.5, rel=0.15)
        elif isinstance(module, nn.BatchNorm2d):
            assert torch.equal(module.weight, torch.ones_like(module.weight))
            assert torch.equal(module.bias, torch.zeros_like(module.bias))
