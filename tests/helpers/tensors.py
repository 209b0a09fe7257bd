"""What the op tests feed to ops, on any device, and how close the answers must come."""

from __future__ import annotations

import torch

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
# Largest error of a correlation. An oracle sees the same rounded values, so it is that of the arithmetic: float32
# products, or float64 ones.
TOLERANCE = {torch.float32: 2e-6, torch.float16: 2e-6, torch.bfloat16: 2e-6, torch.float64: 1e-12}


def draw(
    *shape: int, dtype: torch.dtype = torch.float32, seed: int = 0, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Normal numbers, the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).to(dtype).to(device)


def matrices(*shape: int, fill: float = 0.0, device: torch.device | str = "cpu") -> torch.Tensor:
    """Kernel matrices to add to."""
    return torch.full(shape, fill, dtype=torch.float64, device=device)


def integers(*values: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Counters or flags."""
    return torch.tensor(values, device=device)
