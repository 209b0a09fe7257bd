"""slogdet against numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import tensors

from wrcor_ext import ops


def draw(*shape: int, device: torch.device) -> torch.Tensor:
    return tensors.draw(*shape, dtype=torch.float64, device=device)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 31, 33, 64, 129, 300, 512])
def test_matches_numpy(backend, device, n):
    k = draw(n, n, device=device)
    sign, logabsdet = backend.slogdet(k)
    expected = np.linalg.slogdet(k.cpu().numpy())
    assert sign.shape == logabsdet.shape == ()
    assert sign.item() == expected.sign
    assert logabsdet.item() == pytest.approx(expected.logabsdet, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("batch", [(3,), (2, 4), (0,), (1, 1, 1)])
def test_batches(backend, device, batch):
    k = draw(*batch, 5, 5, device=device)
    sign, logabsdet = backend.slogdet(k)
    expected = np.linalg.slogdet(k.cpu().numpy())
    np.testing.assert_array_equal(sign.cpu().numpy(), expected.sign)
    np.testing.assert_allclose(logabsdet.cpu().numpy(), expected.logabsdet, rtol=1e-12, atol=1e-12)


def test_indefinite_kernel_matrix(backend, device):
    # abs() of a correlation matrix need not be positive definite: the sign is part of the answer.
    k = torch.tensor([[1.0, 0.9, 0.1], [0.9, 1.0, 0.9], [0.1, 0.9, 1.0]], dtype=torch.float64, device=device)
    sign, logabsdet = backend.slogdet(k)
    assert sign.item() == -1.0
    assert logabsdet.item() == pytest.approx(np.log(0.468), rel=1e-12)


def test_zero_pivot_needs_an_exchange(backend, device):
    sign, logabsdet = backend.slogdet(torch.tensor([[0.0, 2.0], [3.0, 0.0]], dtype=torch.float64, device=device))
    assert sign.item() == -1.0
    assert logabsdet.item() == pytest.approx(np.log(6.0))


@pytest.mark.parametrize("k", [torch.zeros(4, 4), torch.ones(9, 9), torch.tensor([[1.0, 2.0], [2.0, 4.0]])])
def test_singular(backend, device, k):
    sign, logabsdet = backend.slogdet(k.double().to(device))
    assert sign.item() == 0.0
    assert logabsdet.item() == -np.inf


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_any_magnitude(backend, device, scale):
    k = draw(40, 40, device=device)
    sign, logabsdet = backend.slogdet(k * scale)
    expected = np.linalg.slogdet(k.cpu().numpy())
    assert sign.item() == expected.sign
    assert logabsdet.item() == pytest.approx(expected.logabsdet + 40 * np.log(scale), rel=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(backend, device, bad):
    k = draw(3, 6, 6, device=device)
    k[1, 4, 2] = bad
    sign, logabsdet = backend.slogdet(k)
    assert sign.isnan().tolist() == [False, True, False]
    assert logabsdet.isnan().tolist() == [False, True, False]


def test_input_is_left_alone_and_layout_does_not_matter(backend, device):
    k = draw(70, 70, device=device)
    copy = k.clone()
    first = backend.slogdet(k)
    assert torch.equal(k, copy)
    transposed = backend.slogdet(k.T)
    assert transposed[1].item() == pytest.approx(first[1].item(), rel=1e-12)
    assert backend.slogdet(k.T.contiguous())[1].item() == pytest.approx(transposed[1].item(), rel=1e-12)


def test_same_bits_for_any_number_of_threads(backend, device):
    k = draw(5, 130, 130, device=device)
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(backend.slogdet(k)[1])
    if backend is ops:
        assert torch.equal(results[0], results[1])
    torch.testing.assert_close(results[0], results[1])
