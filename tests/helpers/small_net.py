"""A small network and batch for tests of scoring."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wrcor_ext import proxies
from wrcor_ext.needs import OwnPasses

# The log-determinants of sums over responses.
OF_RESPONSES = tuple(
    n for n in proxies.names() if isinstance(proxies.get(n).needs[0], proxies.ResponseSum) and n != "linear_regions"
)

# Those that are computed from the shared forward and its backwards.
OF_THE_SHARED_PASS = tuple(
    n for n in proxies.names() if not any(isinstance(need, OwnPasses) for need in proxies.get(n).needs)
)


class Net(nn.Module):
    """Three levels of two responses with batch-norm, dropout and a tensor that feeds two activations."""

    def __init__(self, levels: int = 3, classes: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.cells = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1), nn.GELU()) for _ in range(levels)
        )
        self.head = nn.Linear(6, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for cell in self.cells:
            x = cell(x)
        return self.head(x.mean((2, 3)))


def batch(n: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, 8, 8, generator=generator), torch.arange(n) % 4
