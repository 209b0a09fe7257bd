"""response_correlation and accumulate_correlation against numpy in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wrcor_ext import ops
from wrcor_ext.ops import reference

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
# The oracle sees the same rounded values, so the error is that of the arithmetic: float32 products, or float64 ones.
TOLERANCE = {torch.float32: 2e-6, torch.float16: 2e-6, torch.bfloat16: 2e-6, torch.float64: 1e-12}

needs_native = pytest.mark.skipif(ops.native_library() is None, reason=ops.native_reason())


def draw(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def assert_matches(actual: torch.Tensor, expected: np.ndarray, dtype: torch.dtype) -> None:
    assert actual.dtype == torch.float64
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual.numpy(), expected, rtol=0, atol=TOLERANCE[dtype], equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("features", [1, 2, 31, 33, 129, 4097])
@pytest.mark.parametrize("rows", [1, 2, 31, 33, 129])
def test_matches_numpy(backend, oracle, rows, features, dtype):
    x = draw(rows, features, dtype=dtype)
    assert_matches(backend.response_correlation(x), oracle(x), dtype)


@pytest.mark.parametrize("rows", [257, 512])
def test_largest_batches(backend, oracle, rows):
    x = draw(rows, 700)
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


@pytest.mark.parametrize("features", [1023, 1024, 1025, 4095, 4096, 40_001])
def test_edges_of_slices_and_chunks(backend, oracle, features):
    x = draw(9, features)
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.to(memory_format=torch.channels_last),
        lambda x: x.permute(0, 3, 1, 2),
        lambda x: x[::2],
        lambda x: x[3:7],
        lambda x: x.to(memory_format=torch.channels_last)[1::3],
        lambda x: x[:, 1:4],
        lambda x: x[..., 1:],
        lambda x: x[..., ::2],
        lambda x: x.transpose(0, 1),
        lambda x: x[:, :1].expand(-1, 4, -1, -1),
        lambda x: x.flip(0)[:, :, None],
    ],
    ids=[
        "channels_last", "permuted", "every_other_image", "some_images", "channels_last_slice", "some_channels",
        "cropped", "strided", "transposed", "expanded", "extra_dimension",
    ],
)  # fmt: skip
def test_views(backend, oracle, view, dtype):
    x = view(draw(10, 6, 7, 5, dtype=dtype))
    assert_matches(backend.response_correlation(x), oracle(x), dtype)


def test_broadcast_batch_has_correlation_one(backend):
    x = draw(1, 50).expand(5, 50)
    torch.testing.assert_close(backend.response_correlation(x), torch.ones(5, 5, dtype=torch.float64))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 3e4])
def test_constant_row_has_no_correlation(backend, oracle, dtype, value):
    x = draw(5, 3001, dtype=dtype)
    x[2] = value
    result = backend.response_correlation(x)
    assert result[2].isnan().all()
    assert result[:, 2].isnan().all()
    assert_matches(result, oracle(x), dtype)


def test_constant_within_every_slice_but_not_overall(backend, oracle):
    x = draw(3, 8192)
    x[1, :4096], x[1, 4096:] = 1.0, 2.0
    x[2, :-1], x[2, -1] = 0.1, 0.2
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


def test_positive_and_negative_zero_are_equal(backend):
    x = draw(2, 64)
    x[1, ::2], x[1, 1::2] = 0.0, -0.0
    assert backend.response_correlation(x)[1].isnan().all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 17, 4096, 5000])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_not_finite(backend, oracle, dtype, bad, position):
    x = draw(6, 5001, dtype=dtype)
    x[3, position] = bad
    result = backend.response_correlation(x)
    assert result[3].isnan().all()
    assert_matches(result, oracle(x), dtype)


def test_duplicate_images_correlate_exactly(backend):
    x = draw(7, 3333)
    x[5] = x[1]
    result = backend.response_correlation(x)
    torch.testing.assert_close(result[5], result[1], rtol=0, atol=1e-14)
    assert result[1, 5].item() == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(("rows", "features"), [(40, 3333), (40, 50_000), (70, 900), (180, 300)])
def test_duplicate_images_make_an_exactly_singular_matrix(backend, rows, features):
    if backend is reference:
        pytest.skip("matrix products of torch need not treat equal rows alike")
    x = draw(rows, features)
    x[rows - 7] = x[2]
    result = backend.response_correlation(x)
    assert torch.equal(result[rows - 7], result[2])
    assert torch.equal(result, result.T)
    assert backend.slogdet(result)[1].item() == -np.inf


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(torch.float32, s) for s in (1e-42, 1e-38, 1e-25, 1e-12, 1e12, 1e37)]
    + [(torch.bfloat16, s) for s in (1e-25, 1e25)]
    + [(torch.float16, s) for s in (1e-6, 1e4)]
    + [(torch.float64, s) for s in (1e-310, 1e-200, 1e200, 1e307)],
    ids=str,
)
def test_any_magnitude(backend, oracle, dtype, scale):
    x = (draw(5, 2100, dtype=torch.float64) * scale).to(dtype)
    assert_matches(backend.response_correlation(x), oracle(x), dtype)


def test_rows_and_slices_of_very_different_magnitude(backend, oracle):
    x = draw(6, 9000, dtype=torch.float64)
    x *= torch.logspace(-30, 30, 6, dtype=torch.float64)[:, None]
    x[:, :1500] *= 1e-9
    x[:, 7000:] *= 1e6
    x[4, 2000:4000] = 0.0
    x = x.float()
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


def test_sum_of_a_row_overflows(backend, oracle):
    x = draw(4, 5000).abs_().add_(1.0).mul_(3e37)
    assert x.sum().isinf()
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


@pytest.mark.parametrize("mean", [1e3, -1e5])
def test_large_mean(backend, oracle, mean):
    x = draw(8, 20_000) + mean
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


def test_means_that_differ_between_channels(backend, oracle):
    x = draw(6, 8, 40, 40) + torch.linspace(-1e3, 1e3, 8)[:, None, None]
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_sparse_rows(backend, oracle, dtype):
    x = torch.where(draw(8, 12_000, seed=1) > 2.5, draw(8, 12_000, dtype=dtype) * 100, 0.0).to(dtype)
    assert_matches(backend.response_correlation(x), oracle(x), dtype)


def test_same_bits_every_time(backend):
    x = draw(33, 30_000)
    first = backend.response_correlation(x)
    assert all(torch.equal(backend.response_correlation(x), first) for _ in range(5))


@needs_native
@pytest.mark.parametrize(("rows", "features"), [(3, 200_001), (64, 40_000), (130, 20_000)])
def test_same_bits_for_any_number_of_threads(rows, features):
    x = draw(rows, features)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        results.append(ops.response_correlation(x))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@needs_native
def test_order_in_memory_is_read_in_place():
    # Same samples, same order of features in memory: identical bits, whatever the dimensions are called.
    x = draw(6, 40, 30, 20)
    assert torch.equal(ops.response_correlation(x.permute(0, 2, 3, 1)), ops.response_correlation(x))
    assert torch.equal(ops.response_correlation(x[::2]), ops.response_correlation(x[::2].contiguous()))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_accumulate_adds_weighted_magnitudes(backend, oracle, dtype):
    k = torch.zeros(12, 12, dtype=torch.float64)
    counts = torch.zeros(2, dtype=torch.int64)
    expected = np.zeros((12, 12))
    for level in range(4):
        x = draw(12, 3, 9, 11, dtype=dtype, seed=level)
        assert backend.accumulate_correlation(k, x, 2.0**level, counts) is None
        expected += 2.0**level * np.abs(oracle(x))
    np.testing.assert_allclose(k.numpy(), expected, rtol=0, atol=15 * TOLERANCE[dtype])
    assert counts.tolist() == [4, 0]
    torch.testing.assert_close(k, k.T, rtol=0, atol=1e-14)


@pytest.mark.parametrize("spoil", [0.25, np.nan, np.inf])
def test_accumulate_skips_what_has_no_correlation(backend, spoil):
    k = torch.full((4, 4), 3.0, dtype=torch.float64)
    counts = torch.tensor([10, 20])
    x = draw(4, 100)
    if spoil == 0.25:
        x[1] = spoil
    else:
        x[1, 7] = spoil
    backend.accumulate_correlation(k, x, 2.0, counts)
    assert torch.equal(k, torch.full((4, 4), 3.0, dtype=torch.float64))
    assert counts.tolist() == [10, 21]


def test_no_gradient_is_recorded(backend):
    x = draw(4, 10).requires_grad_()
    assert not backend.response_correlation(x).requires_grad
    k = torch.zeros(4, 4, dtype=torch.float64)
    backend.accumulate_correlation(k, x, 1.0, torch.zeros(2, dtype=torch.int64))
    assert not k.requires_grad
