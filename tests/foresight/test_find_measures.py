"""`find_measures` and its relatives: golden values under published names, and what a script may rely on."""

from __future__ import annotations

import json
import math

import pytest
import torch
import torch.nn.functional as F
from helpers import golden
from helpers.small_net import Net, batch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import wrcor_ext
from wrcor_ext import proxies
from wrcor_ext.errors import InputError
from wrcor_ext.published import measures as published

INFO = ("random", 1, 4)

# Some of each kind; all of them are compared through `wrcor_ext.score`.
NAMES = ["snip", "jacob_cor", "act_hamming", "grad_cor", "act_grad_cor_weighted", "feature_distance"]


def loader(n=8, per_batch=8):
    return DataLoader(TensorDataset(*batch(n)), batch_size=per_batch)


def find(net, data, info, names, **more):
    from foresight.pruners.predictive import find_measures

    return find_measures(net, data, info, torch.device("cpu"), measure_names=names, **more)


def network(space, case):
    from foresight.models import get_MobileNetV2_model, get_nasbench101_model, get_nasbench201_model

    if space == "nasbench101":
        spec = type("ModelSpec", (), {"matrix": case["matrix"], "ops": case["ops"]})()
        sizes = {name: case[name] for name in ("stem_out", "num_stacks", "num_mods")}
        return get_nasbench101_model(spec, **sizes, num_classes=case["classes"])
    if space == "nasbench201":
        config = {"arch_str": case["arch"], "C": case["C"], "N": case["N"], "num_classes": case["classes"]}
        return get_nasbench201_model(config)
    return get_MobileNetV2_model(case["arch"], num_classes=case["classes"], resolution=case["score_resolution"])


@pytest.mark.parametrize(("space", "index"), [("nasbench201", 10), ("nasbench101", 7)])
def test_gives_the_published_values(space, index):
    case = golden.cases(space)[index]
    model = golden.fill(network(space, case), case["weight_seed"])
    images, labels = golden.inputs(case)
    truths = case["scores_float64"]
    data = [(images.double(), labels)]
    values, _ = find(model.double(), data, ("random", 1, case["classes"]), NAMES)
    assert values == pytest.approx({name: float(truths[name]) for name in NAMES}, rel=1e-7, nan_ok=True)


def test_noise_is_the_published_one_under_the_published_seed():
    case = golden.cases("nasbench201")[10]
    model = golden.fill(network("nasbench201", case), case["weight_seed"])
    names = ["phi_score_bn", "zen_score_with_data", "ssl_score", "synflow"]
    torch.manual_seed(0)
    values, _ = find(model, [golden.inputs(case)], INFO, names)
    assert values == pytest.approx({name: case["scores"][name] for name in names}, rel=1e-3)


def test_what_is_not_finite_is_given_back_as_published():
    case = next(case for case in golden.cases("nasbench201") if case["scores"]["act_cor"] == "-inf")
    model = golden.fill(network("nasbench201", case), case["weight_seed"])
    values, _ = find(model, [golden.inputs(case)], INFO, ["act_cor", "jacob_cor", "snip"])
    assert values["act_cor"] == -math.inf
    assert math.isnan(values["jacob_cor"])
    assert math.isfinite(values["snip"])


def test_published_names_are_available():
    from foresight.pruners.measures import available_measures

    assert available_measures is published.AVAILABLE
    in_file = {name for case in golden.cases("nasbench201") for name in case["scores"]}
    assert in_file <= set(available_measures)
    assert "dyn_isometry" in available_measures
    assert [name for name in available_measures if proxies.canonical_name(name) is None] == []


def test_both_functions_and_a_single_measure_agree():
    from foresight.pruners import measures, predictive

    net, names = Net(), ["snip", "act_hamming"]
    found = predictive.find_measures_arrays(net, loader(), INFO, "cpu", F.cross_entropy, names)
    assert predictive.find_measures(net, loader(), INFO, "cpu", measures_arr=found) == found
    assert find(net, loader(), INFO, names)[0] == found[0]
    images, labels = batch()
    for name in names:
        assert measures.calc_measure(name, net, "cpu", images, labels, split_data=2) == found[0][name]
    ours = wrcor_ext.score(net, images, labels, proxies=["snip"], rule="reference")
    assert found[0]["snip"] == ours["snip"].value


def test_the_loss_is_the_callers():
    doubled, _ = find(Net(), loader(), INFO, ["snip"], loss_fn=lambda x, y: 2 * F.cross_entropy(x, y))
    torch.manual_seed(0)
    net = Net()
    once, _ = find(net, loader(), INFO, ["snip"])
    doubled, _ = find(net, loader(), INFO, ["snip"], loss_fn=lambda x, y: 2 * F.cross_entropy(x, y))
    assert doubled["snip"] == pytest.approx(2 * once["snip"], rel=1e-6)


def test_the_batch_is_the_one_described():
    from foresight.pruners.p_utils import get_some_data, get_some_data_grasp

    images, labels = batch(12)
    taken, _ = get_some_data(loader(12, 4), 2, "cpu")
    assert torch.equal(taken, images[:8])
    taken, _ = get_some_data(loader(12, 8), 3, "cpu")  # a loader that ends is begun again
    assert torch.equal(taken, torch.cat([images, images[:8]]))
    taken, of_class = get_some_data_grasp(loader(12, 5), 4, 2, "cpu")
    expected = [i for c in range(4) for i in [i for i in range(12) if labels[i] == c][:2]]
    assert torch.equal(taken, images[expected])
    assert of_class.tolist() == labels[expected].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    net = Net()
    assert find(net, loader(12, 6), ("grasp", 2, 4), ["snip"])[0] == find(net, [(taken, of_class)], INFO, ["snip"])[0]


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (("rndom", 1, 4), "unknown dataload 'rndom': allowed are 'random' and 'grasp'"),
        (("random", 0, 4), "num_batches=0 takes no image"),
        (("grasp", 4, 4), "the data loader does not have 4 images of each of 4 classes"),
        ("random", "dataload_info='random' is not"),
    ],
)
def test_a_batch_that_cannot_be_had_is_refused(info, message):
    with pytest.raises(InputError, match=message):
        find(Net(), loader(), info, ["snip"])
    with pytest.raises(InputError, match="the data loader has no batch"):
        find(Net(), [], INFO, ["snip"])


@pytest.fixture
def own_measures():
    before = list(published.AVAILABLE)
    yield
    for name in set(published.AVAILABLE) - set(before):
        proxies.registry._PROXIES.pop(name)
        proxies.registry._CANONICAL.pop(name)
    published.AVAILABLE[:] = before


def test_a_measure_of_the_users_is_one_more_proxy(own_measures):
    from foresight.pruners.measures import available_measures, measure

    seen = {}

    @measure("own", bn=False, copy_net=False, factor=3)
    def own(net, inputs, targets, loss_fn=None, split_data=1, factor=1):
        seen.update(net=net, training=net.training, grads={p.requires_grad for p in net.parameters()})
        seen["output"] = net(inputs).detach()
        return [torch.full((2,), float(factor)), torch.ones(3)]

    @measure("copied")
    def copied(net, inputs, targets, **_):
        assert net is not seen["net"]
        with torch.no_grad():
            net.head.weight.fill_(math.nan)
        return net(inputs).sum()

    net = Net()
    values, _ = find(net, loader(), INFO, ["own", "copied", "snip"])
    assert values["own"] == 9.0
    assert (seen["net"], seen["training"], seen["grads"]) == (net, True, {True})
    assert math.isnan(values["copied"])
    assert bool(torch.isfinite(net.head.weight).all())
    for module in net.modules():  # `bn=False` is what the network gives without its batch-norms
        if isinstance(module, nn.Sequential):
            module[0] = nn.Identity()
    net.train()
    assert torch.allclose(seen["output"], net(batch()[0]))
    assert available_measures[-2:] == ["own", "copied"]
    with pytest.raises(ValueError, match="'own' is registered twice"):
        measure("own")(own)


def test_what_raises_is_nan_with_a_warning_and_spares_the_others(own_measures):
    from foresight.pruners.measures import measure

    @measure("raises")
    def raises(net, inputs, targets, **_):
        raise KeyError("mine")

    with pytest.warns(UserWarning, match="raises of Net is nan: KeyError: 'mine'"):
        values, _ = find(Net(), loader(), INFO, ["raises", "snip"])
    assert math.isnan(values["raises"])
    assert math.isfinite(values["snip"])
    with pytest.raises(InputError, match="unknown proxy 'snpi': did you mean snip"):
        find(Net(), loader(), INFO, ["snpi"])


def test_noise_follows_the_seed_of_torch(own_measures):
    from foresight.pruners.measures import measure

    @measure("noise")
    def noise(net, inputs, targets, **_):
        return torch.randn(1)

    def under(seed):
        torch.manual_seed(seed)
        return find(Net(), loader(), INFO, ["noise"])[0]["noise"]

    assert under(1) == under(1) != under(2)
    torch.manual_seed(5)
    assert torch.randn(1) == under(5)


def test_networks_are_described_as_scripts_do():
    from foresight.models import get_MobileNetV2_model, get_nasbench101_model, get_nasbench201_model
    from wrcor_ext import spaces

    text = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"
    holder = type("Config", (), {"arch_str": text, "C": 8, "N": 2, "num_classes": 7})()
    space = spaces.get("nasbench201", stem_width=8, cells_per_stage=2)

    def params(net):
        return sum(p.numel() for p in net.parameters())

    expected = space.cost(space.parse(text), num_classes=7).params
    assert params(get_nasbench201_model(holder)) == expected
    assert params(get_nasbench201_model(text, 7, init_channels=8, num_cells=2)) == expected
    assert not [m for m in get_nasbench201_model(text, use_bn=False).modules() if isinstance(m, nn.BatchNorm2d)]
    matrix, ops = [[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "conv3x3-bn-relu", "output"]
    space = spaces.get("nasbench101", stem_width=16, stacks=2, cells_per_stack=1)
    expected = space.cost(space.parse(json.dumps({"matrix": matrix, "ops": ops}))).params
    for spec in ((matrix, ops), {"matrix": torch.tensor(matrix).numpy(), "ops": ops}):
        assert params(get_nasbench101_model(spec, 16, 2, 1)) == expected
    name = spaces.get("mobilenetv2").published[0]
    assert get_MobileNetV2_model(name, 10, resolution=64)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    for wrong in ({"C": 16}, 3):
        with pytest.raises(InputError, match="has no 'arch_str': it describes no network"):
            get_nasbench201_model(wrong)


def test_widths_are_rounded_to_what_they_are_large_enough_for():
    from foresight.models.MobileNetV2_ops.global_utils import smart_round

    assert [smart_round(x) for x in (1, 13, 100.1, 150, 250, 300)] == [8, 16, 104, 144, 256, 288]
    assert [smart_round(x, 10) for x in (1, 26)] == [10, 30]


@pytest.mark.parametrize(("kind", "fan"), [("xavier", (54 + 54) / 2), ("kaiming", 54)])
def test_weights_are_drawn_anew(kind, fan):
    from foresight.weight_initializers import init_net

    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Conv2d(6, 6, 3) for _ in range(30)))
    before = net[0].bias.clone()
    init_net(net, kind, "none")
    assert torch.equal(net[0].bias, before)
    gain = 2 if kind == "kaiming" else 1
    variance = torch.cat([layer.weight.flatten() for layer in net]).var().item()
    assert variance == pytest.approx(gain / fan, rel=0.05)
    init_net(net, "none", "zero")
    assert not any(layer.bias.any() for layer in net)
    init_net(net, "zero", kind)
    assert not any(layer.weight.any() for layer in net)
    assert all(layer.bias.any() for layer in net)
    with pytest.raises(InputError, match="unknown initialisation 'he': allowed are 'none', 'xavier'"):
        init_net(net, "he", "none")


def test_loaders_are_of_the_data_asked_for():
    from foresight.dataset import get_dataloaders
    from wrcor_ext import data

    train, test = get_dataloaders(6, 4, "photos", 0, resize=16)
    images, labels = next(iter(train))
    assert images.shape == (6, 3, 16, 16)
    expected = data.load("photos", batch_size=4, seed=1, image_size=16, augment=False)
    (images, labels), *more = test
    assert more == []
    assert torch.equal(images, expected.images)
    assert torch.equal(labels, expected.labels)
    with pytest.raises(InputError, match=r"unknown data 'cifar-10'.*did you mean cifar10"):
        get_dataloaders(6, 4, "cifar-10", 0)


def test_the_star_imports_bring_what_scripts_take_from_them():
    brought: dict[str, object] = {}
    for module in ("foresight.dataset", "foresight.pruners", "foresight.models"):
        package = __import__(module, fromlist=["*"])
        brought |= {name: getattr(package, name) for name in package.__all__}
    expected = {"get_dataloaders", "np", "torch", "os", "sys", "predictive", "get_nasbench101_model"}
    assert expected | {"get_nasbench201_model", "get_MobileNetV2_model"} <= set(brought)
