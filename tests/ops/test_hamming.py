"""accumulate_hamming against a direct count in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def draw(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def equal_signs(x: torch.Tensor) -> np.ndarray:
    on = x.reshape(x.shape[0], -1).double().numpy() > 0
    return (on[:, None, :] == on[None, :, :]).sum(axis=-1).astype(np.float64)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("features", [1, 2, 31, 33, 63, 64, 65, 129, 4097])
@pytest.mark.parametrize("rows", [1, 2, 31, 33, 129])
def test_counts_equal_signs(backend, rows, features, dtype):
    if rows * rows * features > 2e7:
        features = 1000
    x = draw(rows, features, dtype=dtype)
    x[:, ::7] = 0.0
    k = torch.zeros(rows, rows, dtype=torch.float64)
    counts = torch.zeros(2, dtype=torch.int64)
    backend.accumulate_hamming(k, x, 1.0, counts)
    np.testing.assert_array_equal(k.numpy(), equal_signs(x))
    assert counts.tolist() == [1, 0]


def test_layouts_weights_and_zeros(backend):
    x = draw(6, 5, 9, 8)
    x[:, 0] = -0.0
    k = torch.ones(6, 6, dtype=torch.float64)
    counts = torch.zeros(2, dtype=torch.int64)
    views = [x, x.to(memory_format=torch.channels_last), x[..., 1:], x.flip(0).transpose(1, 3)]
    expected = np.ones((6, 6))
    for weight, view in enumerate(views, start=1):
        backend.accumulate_hamming(k, view, float(weight), counts)
        expected += weight * equal_signs(view)
    np.testing.assert_array_equal(k.numpy(), expected)
    assert counts.tolist() == [4, 0]


@pytest.mark.parametrize("features", [70_001, 300_000])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_long_responses_and_threads(backend, features, threads):
    torch.set_num_threads(threads)
    x = draw(3, features)
    k = torch.zeros(3, 3, dtype=torch.float64)
    backend.accumulate_hamming(k, x, 1.0, torch.zeros(2, dtype=torch.int64))
    np.testing.assert_array_equal(k.numpy(), equal_signs(x))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 64, 4999])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_not_finite_is_skipped(backend, dtype, bad, position):
    x = draw(4, 5000, dtype=dtype)
    x[2, position] = bad
    k = torch.full((4, 4), 5.0, dtype=torch.float64)
    counts = torch.tensor([1, 1])
    backend.accumulate_hamming(k, x, 1.0, counts)
    assert (k == 5.0).all()
    assert counts.tolist() == [1, 2]


def test_constant_rows_count(backend):
    x = torch.ones(2, 10)
    x[1] = -1.0
    k = torch.zeros(2, 2, dtype=torch.float64)
    backend.accumulate_hamming(k, x, 1.0, torch.zeros(2, dtype=torch.int64))
    assert k.tolist() == [[10.0, 0.0], [0.0, 10.0]]
