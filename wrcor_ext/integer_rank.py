"""Whether a symmetric matrix of whole numbers is singular: decided, where floating point cannot tell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

# Products of two numbers below them fit int64. A determinant that is not 0 is a multiple of both in one of 2^62 cases.
_PRIMES = (2**31 - 1, 2**31 - 19)


def is_singular(k: Tensor) -> bool:
    """Whether a positive semidefinite matrix is singular.

    Args:
        k: [N, N] float64 of whole numbers below 2^53, N up to 512: exact.
    """
    k = k.cpu()
    if _surely_positive_definite(k):
        return False
    whole = k.numpy().astype(np.int64)
    return all(_is_singular_modulo(whole, prime) for prime in _PRIMES)


def _surely_positive_definite(k: Tensor) -> bool:
    """Whether floating point can tell.

    A Cholesky decomposition of K - c I that runs to its end proves K positive definite if c is above the rounding error
    of the decomposition, (n + 1) eps trace(K) to first order (Rump, "Verification of positive definiteness", 2006).
    """
    n = len(k)
    slack = 4 * (n + 2) * torch.finfo(k.dtype).eps * float(k.trace())
    _, failed = torch.linalg.cholesky_ex(k - slack * torch.eye(n, dtype=k.dtype))
    return not bool(failed)


def _is_singular_modulo(k: npt.NDArray[np.int64], prime: int) -> bool:
    """Whether `prime` divides the determinant, by elimination in whole numbers."""
    rest = k % prime
    while len(rest):
        (candidates,) = np.nonzero(rest[:, 0])
        if not len(candidates):
            return True
        rest[[0, candidates[0]]] = rest[[candidates[0], 0]]
        factors = rest[1:, 0] * pow(int(rest[0, 0]), -1, prime) % prime
        rest = (rest[1:, 1:] - factors[:, None] * rest[0, 1:] % prime) % prime
    return False
