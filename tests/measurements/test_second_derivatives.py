"""Second derivatives along the weights against torch's own."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wrcor_ext.measurements.second_derivatives import SecondDerivatives


class Layers(nn.Module):
    """Convolutions of all kinds, batch-norms of all kinds, activations in place, a layer that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.twice = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4, bias=False)
        self.same = nn.Conv2d(8, 8, 3, padding="same")
        self.flat = nn.Conv1d(8, 6, 2)
        self.deep = nn.Conv3d(2, 4, (1, 2, 3))
        self.norm = nn.BatchNorm2d(8)
        self.plain = nn.BatchNorm1d(6, affine=False)
        self.still = nn.BatchNorm2d(8).eval()
        self.head = nn.Linear(104, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu_(self.first(x))
        x = self.norm(self.twice(self.twice(x)))
        x = self.still(self.same(x).tanh())
        x = self.plain(self.flat(x.flatten(2)))
        x = self.deep(x.unflatten(1, (2, 1, 3))).flatten(1)
        # A convolution's weight in another role.
        return self.head(x).tanh() * self.flat.weight.square().mean()


def derivative(model: nn.Module, images: Tensor, mode: AbstractContextManager[object]) -> Tensor:
    """That of g . v along the weights, v a constant, by whatever torch returns."""
    weights = [module.weight for module in model.modules() if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd))]
    with mode:
        loss = F.cross_entropy(model(images), torch.arange(len(images)) % 5)
    gradients = torch.autograd.grad(loss, weights, create_graph=True)
    generator = torch.Generator().manual_seed(1)
    constants = [torch.randn(g.shape, generator=generator, dtype=g.dtype) for g in gradients]
    product = torch.stack([(g * v).sum() for g, v in zip(gradients, constants, strict=True)]).sum()
    second = torch.autograd.grad(product, weights, allow_unused=True)
    return torch.stack([(w * h).sum() for w, h in zip(weights, second, strict=True) if h is not None]).sum()


@pytest.mark.parametrize("channels_last", [False, True])
def test_both_parts_together_are_the_derivative(channels_last: bool) -> None:
    torch.manual_seed(0)
    model = Layers().double().train()
    model.still.eval()
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    for norm in (model.norm, model.still):
        nn.init.normal_(norm.weight)
        norm.requires_grad_(False)
    expected = derivative(model, images, nullcontext())
    mode = SecondDerivatives(torch.device("cpu"))
    found = derivative(model, images, mode)
    assert mode.along_weights != 0
    torch.testing.assert_close(found + mode.along_weights, expected, rtol=1e-10, atol=0)
