"""Fixtures of the op tests: the backends behind one interface, and an oracle that shares no code with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from helpers import cupy_emulated, emulator

from wrcor_ext import ops
from wrcor_ext.ops import cupy_backend, native, reference


@pytest.fixture(params=["native", "torch", "emulated", "cupy", "cuda", "cuda_cupy", "cuda_torch"])
def answering(request) -> str:
    """Who answers: compiled kernels and their pure-torch twins on either device, or the CUDA kernels run on the CPU.

    These are launched by their C++ host side ("emulated") or by that of the CuPy backend ("cupy").
    """
    reasons = {
        "native": ops.native_reason() if ops.native_library() is None else None,
        "torch": None,
        "emulated": emulator.missing(),
        "cupy": emulator.missing(),
        "cuda": no_gpu() or (None if native.cuda_loaded() else native.cuda_reason()),
        "cuda_cupy": no_gpu() or (None if cupy_backend.find().ops is not None else cupy_backend.find().reason),
        "cuda_torch": no_gpu(),
    }
    reason = reasons[request.param]
    if reason is not None:
        pytest.skip(reason)
    return request.param


# Coprime to the numbers of dtypes and shapes that tests combine: all of them have their turn.
ONE_IN = 11


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps one in eleven instances of each test for "cupy": "emulated" has all of them, with the same kernels."""
    seen: Counter[str] = Counter()
    dropped = []
    for item in items:
        if "[cupy" in item.nodeid and item.callspec.params.get("answering") == "cupy":
            test = item.nodeid.partition("[")[0]
            if seen[test] % ONE_IN != 0:
                dropped.append(item)
            seen[test] += 1
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in set(dropped)]


def no_gpu() -> str | None:
    return None if torch.cuda.is_available() else "no GPU"


@pytest.fixture
def backend(answering):
    """The ops of `answering`: a module, or an object with methods of these names."""
    if answering == "cuda_cupy":
        return cupy_backend.find().ops
    modules = {"torch": reference, "cuda_torch": reference, "emulated": emulator, "cupy": cupy_emulated}
    return modules.get(answering, ops)


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
