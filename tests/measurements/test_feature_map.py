"""The feature map before global pooling is found however a network spells that pooling."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.measurements.feature_map import feature_map

# Every spelling takes [N, 6, 5, 4] to something with six numbers per image.
SPELLINGS = {
    "module": nn.AdaptiveAvgPool2d(1),
    "module, pair": nn.AdaptiveAvgPool2d((1, 1)),
    "maximum module": nn.AdaptiveMaxPool2d(1),
    "functional": lambda x: F.adaptive_avg_pool2d(x, output_size=1),
    "keyword": lambda x: F.adaptive_avg_pool2d(input=x, output_size=1),
    "average of the whole": lambda x: F.avg_pool2d(x, x.shape[2:]),
    "average module": nn.AvgPool2d((5, 4)),
    "mean": lambda x: x.mean((2, 3)),
    "mean, from the back": lambda x: torch.mean(x, dim=[-1, -2], keepdim=True),
    "sum": lambda x: x.sum((2, 3)),
    "maximum": lambda x: x.amax((-2, -1)),
    "one after the other": lambda x: x.mean(3).mean(2),
    "rows first": lambda x: x.mean(2).mean(-1),
    "with keepdim": lambda x: x.mean(2, keepdim=True).mean(3, keepdim=True),
    "with keepdim, columns first": lambda x: x.mean(3, True).mean(2, True),
    "flattened": lambda x: x.flatten(2).mean(2),
    "reshaped": lambda x: torch.mean(x.reshape(x.shape[0], x.shape[1], -1), -1),
    "viewed": lambda x: x.contiguous().view(x.size(0), x.size(1), -1).mean(dim=2),
    "channels last": lambda x: x.permute(0, 2, 3, 1).mean((1, 2)),
}
OTHER = {
    "no pooling": nn.Flatten(),
    "a grid": nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten()),
    "mean over channels": lambda x: x.mean(1).flatten(1),
    "tokens": lambda x: x.flatten(2).transpose(1, 2).mean(1),
    "everything": lambda x: x.mean().expand(len(x), 6),
}


class Pooling(nn.Module):
    """A convolution with squeeze-excite, then `pooling` and a classifier."""

    def __init__(self, pooling, excite: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.pooling = pooling
        self.excite = excite
        self.head = nn.LazyLinear(2)
        self.features: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.excite:
            x = x * F.adaptive_avg_pool2d(x, 1).sigmoid()
        self.features = x
        return self.head(self.pooling(x).flatten(1))


@pytest.fixture
def images() -> Tensor:
    return torch.randn(3, 3, 5, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_last_pooled_map_is_found(spelling: str, images: Tensor) -> None:
    model = Pooling(SPELLINGS[spelling])
    found = feature_map(model, images)
    assert torch.equal(found, model.features)
    assert not found.requires_grad


@pytest.mark.parametrize("other", OTHER)
def test_a_model_without_global_pooling_is_refused(other: str, images: Tensor) -> None:
    with pytest.raises(NotApplicableError, match="Pooling pools no feature map"):
        feature_map(Pooling(OTHER[other], excite=False), images)


@pytest.mark.parametrize(
    ("name", "channels"), [("resnet18", 512), ("mobilenet_v3_small", 576), ("densenet121", 1024), ("swin_t", 768)]
)
def test_maps_of_torchvision_models(name: str, channels: int) -> None:
    zoo = pytest.importorskip("torchvision.models", reason="torchvision is an optional extra")
    assert feature_map(zoo.get_model(name).eval(), torch.rand(2, 3, 64, 64)).shape == (2, channels, 2, 2)


@pytest.mark.parametrize("name", ["vit_b_16", "vgg11"])
def test_torchvision_models_without_global_pooling(name: str) -> None:
    zoo = pytest.importorskip("torchvision.models", reason="torchvision is an optional extra")
    options = {"image_size": 32} if name == "vit_b_16" else {}
    # Without values: only the calls matter.
    with torch.device("meta"):
        model, images = zoo.get_model(name, **options).eval(), torch.rand(2, 3, 32, 32)
    with pytest.raises(NotApplicableError):
        feature_map(model, images)
