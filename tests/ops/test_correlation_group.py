"""accumulate_correlation_group: the sums of accumulate_correlation, for many responses and several sums at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.tensors import DTYPES, TOLERANCE, draw, integers, matrices

from wrcor_ext import ops
from wrcor_ext.ops import native


def expected(oracle, k, xs, weights) -> np.ndarray:
    total = k.cpu().numpy().copy()
    for r, x in enumerate(xs):
        magnitude = np.abs(oracle(x))
        if not np.isnan(magnitude).any():
            total += np.array(weights).reshape(len(total), len(xs))[:, r, None, None] * magnitude
    return total


def factors(sums: int, responses: int) -> list[float]:
    return [(s + 1) * 2.0 ** (r % 5) * (-1.0) ** s for s in range(sums) for r in range(responses)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("rows", "sums"), [(1, 1), (2, 8), (33, 3), (65, 8)])
def test_matches_numpy(backend, device, oracle, rows, sums, dtype):
    xs = [draw(rows, features, dtype=dtype, seed=features, device=device) for features in (1, 33, 129, 700)]
    weights = factors(sums, len(xs))
    k, used = matrices(sums, rows, rows, fill=0.5, device=device), integers(7, 7, 7, 7, device=device)
    wanted = expected(oracle, k, xs, weights)
    assert backend.accumulate_correlation_group(k, xs, weights, used) is None
    np.testing.assert_allclose(k.cpu().numpy(), wanted, rtol=0, atol=np.abs(weights).sum() * TOLERANCE[dtype])
    # A row of one feature has no variance.
    assert used.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("responses", [1, 32, 33, 70])
def test_any_number_of_responses(backend, device, oracle, responses):
    xs = [draw(9, 20 + 3 * r, seed=r, device=device) for r in range(responses)]
    weights = factors(3, responses)
    k, used = matrices(3, 9, 9, device=device), integers(*[5] * responses, device=device)
    wanted = expected(oracle, k, xs, weights)
    backend.accumulate_correlation_group(k, xs, weights, used)
    np.testing.assert_allclose(k.cpu().numpy(), wanted, rtol=0, atol=np.abs(weights).sum() * 2e-6)
    assert used.tolist() == [1] * responses


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("rows", "responses"), [(12, 35), (70, 4)])
def test_same_bits_as_one_after_the_other(backend, device, rows, responses, dtype):
    xs = [draw(rows, 3, 2, 11 + r, dtype=dtype, seed=r, device=device) for r in range(responses)]
    xs[1][1] = 0.25
    xs[3][2, 0, 0, 5] = np.nan
    weights = factors(2, len(xs))
    k, used = matrices(2, rows, rows, fill=0.1, device=device), integers(*[0] * len(xs), device=device)
    backend.accumulate_correlation_group(k, xs, weights, used)
    apart = matrices(2, rows, rows, fill=0.1, device=device)
    for s in range(2):
        counts = integers(0, 0, device=device)
        for r, x in enumerate(xs):
            backend.accumulate_correlation(apart[s], x, weights[s * len(xs) + r], counts)
        assert counts.tolist() == [responses - 2, 2]
    assert torch.equal(k, apart)
    assert used.tolist() == [int(r not in (1, 3)) for r in range(responses)]


def test_layouts_and_slices_of_larger_tensors(backend, device, oracle):
    x = draw(10, 6, 7, 5, device=device)
    larger = draw(20, 8, 9, seed=1, device=device)
    xs = [
        x, x.to(memory_format=torch.channels_last), x.permute(0, 3, 1, 2), x[..., 1:], x[:, :1].expand(-1, 4, -1, -1),
        larger[::2], larger[5:15, 1:7], larger[:10, :, 3:4], larger.flip(0)[:10],
    ]  # fmt: skip
    k, used = matrices(1, 10, 10, device=device), integers(*[0] * len(xs), device=device)
    wanted = expected(oracle, k, xs, [1.0] * len(xs))
    backend.accumulate_correlation_group(k, xs, [1.0] * len(xs), used)
    np.testing.assert_allclose(k.cpu().numpy(), wanted, rtol=0, atol=len(xs) * 2e-6)
    assert used.tolist() == [1] * len(xs)


@pytest.mark.parametrize("spoil", [np.nan, np.inf, -np.inf, "constant"])
def test_what_has_no_correlation_adds_nothing(backend, device, spoil):
    xs = [draw(4, 100, seed=r, device=device) for r in range(3)]
    if spoil == "constant":
        xs[1][2] = 0.1
    else:
        xs[1][2, 50] = spoil
    k, used = matrices(2, 4, 4, fill=3.0, device=device), integers(9, 9, 9, device=device)
    backend.accumulate_correlation_group(k, xs, [1.0, np.inf, 2.0, 0.0, 1.0, 0.0], used)
    assert used.tolist() == [1, 0, 1]
    assert k[0].isfinite().all()
    assert torch.equal(k[1], matrices(4, 4, fill=3.0, device=device))


def test_one_tensor_twice_and_duplicate_images(backend, device, oracle):
    x = draw(7, 333, device=device)
    x[5] = x[1]
    k, used = matrices(1, 7, 7, device=device), integers(0, 0, device=device)
    backend.accumulate_correlation_group(k, [x, x], [1.0, 2.0], used)
    np.testing.assert_allclose(k[0].cpu().numpy(), 3 * np.abs(oracle(x)), rtol=0, atol=6e-6)
    torch.testing.assert_close(k[0, 5], k[0, 1], rtol=0, atol=1e-14)


def test_same_bits_every_time(backend, device):
    xs = [draw(33, features, seed=features, device=device) for features in (9_000, 64, 1025)]
    results = []
    for _ in range(3):
        k, used = matrices(2, 33, 33, device=device), integers(0, 0, 0, device=device)
        backend.accumulate_correlation_group(k, xs, factors(2, 3), used)
        results.append(k)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_no_gradient_is_recorded(backend, device):
    x = draw(4, 10, device=device).requires_grad_()
    k = matrices(1, 4, 4, device=device)
    backend.accumulate_correlation_group(k, [x], [1.0], integers(0, device=device))
    assert not k.requires_grad


@pytest.mark.skipif(not (torch.cuda.is_available() and native.cuda_loaded()), reason="no GPU, or no _C_cuda")
def test_the_host_waits_for_no_gpu():
    xs = [draw(16, 64 + r, seed=r, device="cuda") for r in range(40)]
    k, used = matrices(2, 16, 16, device="cuda"), integers(*[0] * 40, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        ops.accumulate_correlation_group(k, xs, factors(2, 40), used)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert used.tolist() == [1] * 40
