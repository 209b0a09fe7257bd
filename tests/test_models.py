"""Models by their specifications: what is found, what is refused, and that weights come from the seed."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
import torch
from torch import nn

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.models import resolve

CELL = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|"


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_models.py").write_text(
        """
import random
import numpy as np
from torch import nn
from wrcor_ext import spaces

class Net(nn.Sequential):
    def __init__(self, num_classes=10):
        super().__init__(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(num_classes))

def net(num_classes):
    module = nn.Sequential(nn.Flatten(), nn.Linear(48, num_classes))
    module[1].weight.data.mul_(random.random() * np.random.rand())
    return module

def needy(width):
    return nn.Linear(width, width)

def failing(num_classes):
    raise RuntimeError("line one\\nline two")

def ready():
    return spaces.from_models(net_of, {"width": [2, 3]}, image_size=4)

def net_of(width, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(48, width), nn.ReLU(), nn.Linear(width, num_classes))

instance = nn.ReLU()
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_models", None)


def test_own_factories_follow_the_seed_and_leave_the_global_states_alone(own):
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (resolve("own_models:net").build(num_classes=7, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert (np.random.get_state()[1] == states[2]).all()  # noqa: NPY002
    assert torch.equal(first[1].weight, again[1].weight)
    assert not torch.equal(first[1].weight, other[1].weight)
    assert first(torch.zeros(2, 3, 4, 4)).shape == (2, 7)
    assert isinstance(resolve("own_models:Net").build(num_classes=7, seed=0), nn.Module)


def test_an_architecture_of_a_space_has_the_weights_that_a_search_gives_it():
    model = resolve(f"nasbench201:{CELL}").build(num_classes=7, seed=5)
    space = spaces.get("nasbench201")
    expected = space.build(space.parse(CELL), num_classes=7, seed=5).state_dict()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in model.state_dict().items())
    assert len(expected) == len(model.state_dict())


@pytest.mark.parametrize("name", spaces.names())
def test_architectures_of_every_space(name):
    space = spaces.get(name)
    arch = space.sample(np.random.default_rng(0))
    named = resolve(f"{name}:{space.format(arch)}")
    assert named.image_size == space.default_image_size
    params = sum(parameter.numel() for parameter in named.build(num_classes=7, seed=0).parameters())
    assert params == space.cost(arch, num_classes=7).params


def test_an_architecture_of_an_own_space(own):
    model = resolve('own_models:ready:{"width": 3}').build(num_classes=7, seed=0)
    assert model[1].weight.shape == (3, 48)


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_libraries(library):
    pytest.importorskip(library)
    named = resolve(f"{library}:resnet18")
    model = named.build(num_classes=7, seed=0).eval()
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)
    assert named.pretrained is not None
    with pytest.raises(InputError, match=f"unknown model '{library}:resnet1818': did you mean .*{library}:resnet18"):
        resolve(f"{library}:resnet1818")
    with pytest.raises(InputError, match=f"unknown model '{library}:xyzzyx' among the"):
        resolve(f"{library}:xyzzyx")


def test_pretrained_torchvision_weights_but_for_another_classifier(monkeypatch):
    zoo = pytest.importorskip("torchvision.models")
    published = zoo.squeezenet1_0().state_dict()
    monkeypatch.setattr(zoo.SqueezeNet1_0_Weights, "get_state_dict", lambda self, **_: published)
    named = resolve("torchvision:squeezenet1_0")
    same, other = (named.build(num_classes=n, seed=1, pretrained=True).state_dict() for n in (1000, 7))
    assert all(torch.equal(same[key], published[key]) for key in published)
    fitting = [key for key in published if not key.startswith("classifier.1")]
    assert all(torch.equal(other[key], published[key]) for key in fitting)
    assert other["classifier.1.weight"].shape[0] == 7


def test_weights_that_cannot_be_had_are_one_sentence(monkeypatch):
    zoo = pytest.importorskip("torchvision.models")

    def offline(self, **_):
        raise OSError("Name or service\nnot known")

    monkeypatch.setattr(zoo.SqueezeNet1_0_Weights, "get_state_dict", offline)
    with pytest.raises(InputError, match=r"weights cannot be loaded: OSError: Name or service not known$"):
        resolve("torchvision:squeezenet1_0").build(num_classes=7, seed=0, pretrained=True)


def test_only_libraries_have_pretrained_weights():
    with pytest.raises(InputError, match="no pretrained weights"):
        resolve(f"nasbench201:{CELL}").build(num_classes=7, seed=0, pretrained=True)


@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_a_library_that_is_not_there_is_named_with_its_extra(monkeypatch, library):
    module, extra = {"timm": ("timm", "timm"), "torchvision": ("torchvision.models", "vision")}[library]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"'{library}:resnet18' needs .*pip install 'wrcor_ext\[{extra}\]'"):
        resolve(f"{library}:resnet18")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("resnet18", r"model 'resnet18' is not written as timm:NAME, .*spaces: .*nasbench201"),
        ("", r"model '' is not written as"),
        ("timm:", r"model 'timm:' is not written as"),
        ("a b:c", r"is not written as"),
        ("tim:resnet18", r"there is no module 'tim', did you mean timm:resnet18\?"),
        ("nasbench20:|x|", r"is not written as"),
        ("nasbench201:|nor_conv_3x3~1|", r"model 'nasbench201:.*malformed"),
        ("own_models:nett", r"no attribute 'nett', did you mean net"),
        ("own_models:needy", r"needy cannot be called with nothing: .*'width'"),
        ("own_models:instance", r"a ReLU object is no factory"),
        ('own_models:ready:{"width": 4}', r"width is 4, allowed are 2, 3"),
    ],
)
def test_specifications_that_name_nothing_are_refused(own, spec, message):
    with pytest.raises(InputError, match=message):
        resolve(spec)


def test_a_factory_that_raises_is_one_sentence(own):
    with pytest.raises(InputError, match=r"^the model cannot be built: RuntimeError: line one line two$"):
        resolve("own_models:failing").build(num_classes=7, seed=0)
