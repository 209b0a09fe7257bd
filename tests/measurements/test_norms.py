"""Batch-norms as identity: in modules and functional, without a trace in the model."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wrcor_ext.measurements.norms import NormsAsIdentity


class Normed(nn.Module):
    """A block whose batch-norm's output is overwritten while its input is still needed."""

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = norm or nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x + F.relu(self.norm(x), inplace=True)


class FunctionalNorm(nn.BatchNorm2d):
    """A batch-norm fused with an activation, as some libraries have it."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.batch_norm(input=x, running_mean=self.running_mean, running_var=self.running_var, training=True)
        return F.gelu(x)


@pytest.fixture
def images() -> Tensor:
    return torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(0))


def test_a_batch_norm_hands_its_input_on(images: Tensor) -> None:
    model = Normed()
    normed = model(images)
    with NormsAsIdentity():
        found = model(images)
    convolved = model.conv(images)
    torch.testing.assert_close(found, convolved + convolved.clamp(min=0), rtol=0, atol=0)
    torch.testing.assert_close(model(images), normed, rtol=0, atol=0)


def test_an_activation_fused_with_a_batch_norm_stays(images: Tensor) -> None:
    model = Normed(FunctionalNorm(3))
    with NormsAsIdentity():
        found = model(images)
    convolved = model.conv(images)
    torch.testing.assert_close(found, convolved + F.gelu(convolved).clamp(min=0), rtol=0, atol=0)


def test_running_statistics_stay_and_gradients_pass(images: Tensor) -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(108), nn.Linear(108, 1))
    before = model[1].running_var.clone()
    images.requires_grad_(True)
    with NormsAsIdentity():
        (gradient,) = torch.autograd.grad(model(images).sum(), images)
    torch.testing.assert_close(gradient.flatten(1), model[2].weight.detach().expand(4, 108), rtol=0, atol=0)
    assert torch.equal(model[1].running_var, before)


def test_nothing_is_left_after_an_exception(images: Tensor) -> None:
    model = Normed()
    normed = model(images)
    with pytest.raises(RuntimeError), NormsAsIdentity():
        model(images[:, :2])
    torch.testing.assert_close(model(images), normed, rtol=0, atol=0)
