"""Fixtures of the op tests: the backends behind one interface, and an oracle that shares no code with them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from helpers import emulator

from wrcor_ext import ops
from wrcor_ext.ops import native, reference


@pytest.fixture(params=["native", "torch", "emulated", "cuda", "cuda_torch"])
def answering(request) -> str:
    """Who answers: compiled kernels and their pure-torch twins on either device, or the CUDA kernels run on the CPU."""
    reasons = {
        "native": ops.native_reason() if ops.native_library() is None else None,
        "torch": None,
        "emulated": emulator.missing(),
        "cuda": no_gpu() or (None if native.cuda_loaded() else native.cuda_reason()),
        "cuda_torch": no_gpu(),
    }
    reason = reasons[request.param]
    if reason is not None:
        pytest.skip(reason)
    return request.param


def no_gpu() -> str | None:
    return None if torch.cuda.is_available() else "no GPU"


@pytest.fixture
def backend(answering):
    """The module with the ops of `answering`."""
    return {"torch": reference, "cuda_torch": reference, "emulated": emulator}.get(answering, ops)


@pytest.fixture
def device(answering) -> torch.device:
    """Where `backend` wants its tensors."""
    return torch.device("cuda" if answering.startswith("cuda") else "cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def oracle():
    """numpy.corrcoef in float64, with NaN where a row has no variance or holds a NaN or an infinity."""

    def correlation(x: torch.Tensor) -> np.ndarray:
        rows = x.reshape(x.shape[0], -1).double().cpu().numpy()
        undefined = np.array([not np.isfinite(row).all() or (row == row[0]).all() for row in rows])
        result = np.full((len(rows), len(rows)), np.nan)
        kept = np.flatnonzero(~undefined)
        if len(kept):
            # Correlation ignores scale: bring each row near one, so that numpy's own squares stay in range.
            scaled = [np.ldexp(row, -int(np.frexp(np.abs(row).max())[1])) for row in rows[kept]]
            result[np.ix_(kept, kept)] = np.corrcoef(np.array(scaled))
        return result

    return correlation
