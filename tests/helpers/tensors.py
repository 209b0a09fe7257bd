"""Input of the op tests, on any device."""

from __future__ import annotations

import torch


def draw(
    *shape: int, dtype: torch.dtype = torch.float32, seed: int = 0, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Normal numbers, the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).to(device=device, dtype=dtype)


def matrices(*shape: int, fill: float = 0.0, device: torch.device | str = "cpu") -> torch.Tensor:
    """Kernel matrices to add to."""
    return torch.full(shape, fill, dtype=torch.float64, device=device)


def integers(*values: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Counters or flags."""
    return torch.tensor(values, device=device)
