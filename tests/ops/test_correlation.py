"""response_correlation and accumulate_correlation against numpy in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.tensors import DTYPES, TOLERANCE, draw, integers, matrices

from wrcor_ext import ops
from wrcor_ext.ops import reference

needs_native = pytest.mark.skipif(ops.native_library() is None, reason=ops.native_reason())


def assert_matches(actual: torch.Tensor, expected: np.ndarray, dtype: torch.dtype) -> None:
    assert actual.dtype == torch.float64
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual.cpu().numpy(), expected, rtol=0, atol=TOLERANCE[dtype], equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("features", [1, 2, 31, 33, 129, 4097])
@pytest.mark.parametrize("rows", [1, 2, 31, 33, 129])
def test_matches_numpy(backend, device, oracle, rows, features, dtype):
    x = draw(rows, features, dtype=dtype, device=device)
    assert_matches(backend.response_correlation(x), oracle(x), dtype)


@pytest.mark.parametrize("rows", [257, 512])
def test_largest_batches(backend, device, oracle, rows):
    x = draw(rows, 700, device=device)
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


@pytest.mark.parametrize("features", [1023, 1024, 1025, 4095, 4096, 40_001])
def test_edges_of_slices_and_chunks(backend, device, oracle, features):
    x = draw(9, features, device=device)
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
def test_views(backend, device, oracle, view, dtype):
    x = view(draw(10, 6, 7, 5, dtype=dtype, device=device))
    assert_matches(backend.response_correlation(x), oracle(x), dtype)


def test_broadcast_batch_has_correlation_one(backend, device):
    x = draw(1, 50, device=device).expand(5, 50)
    torch.testing.assert_close(backend.response_correlation(x), matrices(5, 5, fill=1.0, device=device))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 3e4])
def test_constant_row_has_no_correlation(backend, device, oracle, dtype, value):
    x = draw(5, 3001, dtype=dtype, device=device)
    x[2] = value
    result = backend.response_correlation(x)
    assert result[2].isnan().all()
    assert result[:, 2].isnan().all()
    assert_matches(result, oracle(x), dtype)


def test_constant_within_every_slice_but_not_overall(backend, device, oracle):
    x = draw(3, 8192, device=device)
    x[1, :4096], x[1, 4096:] = 1.0, 2.0
    x[2, :-1], x[2, -1] = 0.1, 0.2
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


def test_positive_and_negative_zero_are_equal(backend, device):
    x = draw(2, 64, device=device)
    x[1, ::2], x[1, 1::2] = 0.0, -0.0
    assert backend.response_correlation(x)[1].isnan().all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 17, 4096, 5000])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_not_finite(backend, device, oracle, dtype, bad, position):
    x = draw(6, 5001, dtype=dtype, device=device)
    x[3, position] = bad
    result = backend.response_correlation(x)
    assert result[3].isnan().all()
    assert_matches(result, oracle(x), dtype)


def test_duplicate_images_correlate_exactly(backend, device):
    x = draw(7, 3333, device=device)
    x[5] = x[1]
    result = backend.response_correlation(x)
    torch.testing.assert_close(result[5], result[1], rtol=0, atol=1e-14)
    assert result[1, 5].item() == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(("rows", "features"), [(40, 3333), (40, 50_000), (70, 900), (180, 300)])
def test_duplicate_images_make_an_exactly_singular_matrix(backend, device, rows, features):
    if backend is reference:
        pytest.skip("matrix products of torch need not treat equal rows alike")
    x = draw(rows, features, device=device)
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
def test_any_magnitude(backend, device, oracle, dtype, scale):
    x = (draw(5, 2100, dtype=torch.float64, device=device) * scale).to(dtype)
    assert_matches(backend.response_correlation(x), oracle(x), dtype)


def test_rows_and_slices_of_very_different_magnitude(backend, device, oracle):
    x = draw(6, 9000, dtype=torch.float64, device=device)
    x *= torch.logspace(-30, 30, 6, dtype=torch.float64, device=device)[:, None]
    x[:, :1500] *= 1e-9
    x[:, 7000:] *= 1e6
    x[4, 2000:4000] = 0.0
    x = x.float()
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


def test_sum_of_a_row_overflows(backend, device, oracle):
    x = draw(4, 5000, device=device).abs_().add_(1.0).mul_(3e37)
    assert x.sum().isinf()
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


@pytest.mark.parametrize("mean", [1e3, -1e5])
def test_large_mean(backend, device, oracle, mean):
    x = draw(8, 20_000, device=device) + mean
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


def test_means_that_differ_between_channels(backend, device, oracle):
    x = draw(6, 8, 40, 40, device=device) + torch.linspace(-1e3, 1e3, 8, device=device)[:, None, None]
    assert_matches(backend.response_correlation(x), oracle(x), torch.float32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_sparse_rows(backend, device, oracle, dtype):
    x = torch.where(
        draw(8, 12_000, seed=1, device=device) > 2.5, draw(8, 12_000, dtype=dtype, device=device) * 100, 0.0
    ).to(dtype)
    assert_matches(backend.response_correlation(x), oracle(x), dtype)


def test_same_bits_every_time(backend, device):
    x = draw(33, 30_000, device=device)
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
def test_accumulate_adds_weighted_magnitudes(backend, device, oracle, dtype):
    k, counts = matrices(12, 12, device=device), integers(0, 0, device=device)
    expected = np.zeros((12, 12))
    for level in range(4):
        x = draw(12, 3, 9, 11, dtype=dtype, seed=level, device=device)
        assert backend.accumulate_correlation(k, x, 2.0**level, counts) is None
        expected += 2.0**level * np.abs(oracle(x))
    np.testing.assert_allclose(k.cpu().numpy(), expected, rtol=0, atol=15 * TOLERANCE[dtype])
    assert counts.tolist() == [4, 0]
    torch.testing.assert_close(k, k.T, rtol=0, atol=1e-14)


@pytest.mark.parametrize("spoil", [0.25, np.nan, np.inf])
def test_accumulate_skips_what_has_no_correlation(backend, device, spoil):
    k, counts = matrices(4, 4, fill=3.0, device=device), integers(10, 20, device=device)
    x = draw(4, 100, device=device)
    if spoil == 0.25:
        x[1] = spoil
    else:
        x[1, 7] = spoil
    backend.accumulate_correlation(k, x, 2.0, counts)
    assert torch.equal(k, matrices(4, 4, fill=3.0, device=device))
    assert counts.tolist() == [10, 21]


def test_no_gradient_is_recorded(backend, device):
    x = draw(4, 10, device=device).requires_grad_()
    assert not backend.response_correlation(x).requires_grad
    k = matrices(4, 4, device=device)
    backend.accumulate_correlation(k, x, 1.0, integers(0, 0, device=device))
    assert not k.requires_grad
