"""What the eigenvalues of symmetric matrices say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor


class Spectra:
    """One number per symmetric matrix, from its eigenvalues.

    On a CPU they are computed at once: for each of hundreds of models, a matrix per layer would be much to keep. A GPU
    would be waited for, so there they are computed when they are first asked for.

    Args:
        matrices: float64, one at least.
        summary: from eigenvalues [C] in ascending order to a scalar.
    """

    def __init__(self, matrices: Sequence[Tensor], summary: Callable[[Tensor], Tensor]) -> None:
        self._matrices = list(matrices)
        self._summary = summary
        if all(matrix.device.type == "cpu" for matrix in matrices):
            _ = self.values

    @cached_property
    def values(self) -> Tensor:
        """One per matrix, float64; NaN for one that is not finite."""
        values = torch.stack([self._value(matrix) for matrix in self._matrices])
        self._matrices.clear()
        return values

    def _value(self, matrix: Tensor) -> Tensor:
        if not bool(torch.isfinite(matrix).all()):  # the solver refuses it
            return matrix.new_tensor(torch.nan)
        return self._summary(torch.linalg.eigvalsh(matrix))
