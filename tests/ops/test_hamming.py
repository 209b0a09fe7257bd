"""accumulate_hamming against a direct count in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.tensors import DTYPES, draw, integers, matrices


def equal_signs(x: torch.Tensor) -> np.ndarray:
    on = x.reshape(x.shape[0], -1).double().cpu().numpy() > 0
    return (on[:, None, :] == on[None, :, :]).sum(axis=-1).astype(np.float64)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("features", [1, 2, 31, 33, 63, 64, 65, 129, 4097])
@pytest.mark.parametrize("rows", [1, 2, 31, 33, 129])
def test_counts_equal_signs(backend, device, rows, features, dtype):
    if rows * rows * features > 2e7:
        features = 1000
    x = draw(rows, features, dtype=dtype, device=device)
    x[:, ::7] = 0.0
    k, counts = matrices(rows, rows, device=device), integers(0, 0, device=device)
    backend.accumulate_hamming(k, x, 1.0, counts)
    np.testing.assert_array_equal(k.cpu().numpy(), equal_signs(x))
    assert counts.tolist() == [1, 0]


def test_layouts_weights_and_zeros(backend, device):
    x = draw(6, 5, 9, 8, device=device)
    x[:, 0] = -0.0
    k, counts = matrices(6, 6, fill=1.0, device=device), integers(0, 0, device=device)
    views = [x, x.to(memory_format=torch.channels_last), x[..., 1:], x.flip(0).transpose(1, 3)]
    expected = np.ones((6, 6))
    for weight, view in enumerate(views, start=1):
        backend.accumulate_hamming(k, view, float(weight), counts)
        expected += weight * equal_signs(view)
    np.testing.assert_array_equal(k.cpu().numpy(), expected)
    assert counts.tolist() == [4, 0]


@pytest.mark.parametrize("features", [70_001, 300_000])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_long_responses_and_threads(backend, device, features, threads):
    torch.set_num_threads(threads)
    x = draw(3, features, device=device)
    k = matrices(3, 3, device=device)
    backend.accumulate_hamming(k, x, 1.0, integers(0, 0, device=device))
    np.testing.assert_array_equal(k.cpu().numpy(), equal_signs(x))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 64, 4999])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_not_finite_is_skipped(backend, device, dtype, bad, position):
    x = draw(4, 5000, dtype=dtype, device=device)
    x[2, position] = bad
    k, counts = matrices(4, 4, fill=5.0, device=device), integers(1, 1, device=device)
    backend.accumulate_hamming(k, x, 1.0, counts)
    assert (k == 5.0).all()
    assert counts.tolist() == [1, 2]


def test_constant_rows_count(backend, device):
    x = torch.ones(2, 10, device=device)
    x[1] = -1.0
    k = matrices(2, 2, device=device)
    backend.accumulate_hamming(k, x, 1.0, integers(0, 0, device=device))
    assert k.tolist() == [[10.0, 0.0], [0.0, 10.0]]
