"""On which GPU and on which stream kernels run: those of the tensors and torch's current one."""

from __future__ import annotations

import pytest
import torch
from helpers.tensors import draw, integers, matrices

from wrcor_ext.ops import reference

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
    pytest.mark.parametrize("answering", ["cuda", "cuda_cupy"], indirect=True),
]


def test_kernels_wait_for_what_torch_does_on_the_current_stream(backend):
    values = draw(8, 4096, device="cuda")
    expected = backend.response_correlation(values)  # CuPy compiles now, and launches at once from here on
    x = torch.zeros_like(values)
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda._sleep(100_000_000)  # long enough for a launch on another stream to be too early
        x.copy_(values)
        result = backend.response_correlation(x)
    torch.cuda.synchronize()
    assert torch.equal(result, expected)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_a_gpu_that_is_not_the_current_one(backend):
    x = draw(9, 300)
    k, counts = matrices(9, 9, device="cuda:1"), integers(0, 0, device="cuda:1")
    with torch.cuda.device(0):
        backend.accumulate_correlation(k, x.to("cuda:1"), 1.0, counts)
        sign, logabsdet = backend.slogdet(k)
        assert torch.cuda.current_device() == 0
    expected = reference.response_correlation(x).abs()
    torch.testing.assert_close(k.cpu(), expected, rtol=0, atol=2e-6)
    assert counts.tolist() == [1, 0]
    assert (sign.device, logabsdet.device) == (k.device, k.device)
    torch.testing.assert_close(logabsdet.cpu(), reference.slogdet(k.cpu())[1], rtol=1e-10, atol=1e-10)
