"""The ops of `wrcor_ext.ops` on top of a launcher of kernels: what `csrc/cuda/*_op.cu` do, in Python.

Same signatures, checks and messages as the reference. Workspace comes from torch's allocator, which hands it out again
on the same stream only, after the kernels that use it; the host waits for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wrcor_ext.ops.checks import check_accumulator, check_group, check_response, check_square
from wrcor_ext.ops.cupy_backend import parameters, plan
from wrcor_ext.ops.cupy_backend.memory import contiguous, workspace
from wrcor_ext.ops.cupy_backend.parameters import POINTER, Response, Structure, view_response
from wrcor_ext.ops.cupy_backend.plan import THREADS

Weights = NDArray[np.float64]
"""Factors [sums, responses]."""

Argument = np.generic | Structure
"""A kernel's argument: a scalar of exactly the parameter's type (a pointer is an uint64), or a structure by value."""


class Launcher(Protocol):
    """Runs kernels by name."""

    def on(self, device: torch.device) -> AbstractContextManager[None]:
        """Launches in this context go to torch's current stream on `device`."""
        ...

    def shared_limit(self, device: torch.device) -> int:
        """Bytes of shared memory that a block may ask for."""
        ...

    def launch(
        self, kernel: str, grid: int, block: int, arguments: Sequence[Argument], *, shared_bytes: int = 0
    ) -> None:
        """Launches `grid` blocks of `block` threads; `kernel` is a C++ expression such as `wrcor::sign_count<8>`."""
        ...


class KernelOps:
    """The five ops for tensors on the devices of a launcher."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def response_correlation(self, x: Tensor) -> Tensor:
        """`wrcor_ext.ops.response_correlation`."""
        check_response(x)
        with self._launcher.on(x.device):
            out = x.new_empty((x.shape[0], x.shape[0]), dtype=torch.float64)
            self._correlate([x], np.zeros((0, 1)), out=out.data_ptr())
        return out

    def accumulate_correlation(self, k: Tensor, x: Tensor, weight: float, counts: Tensor) -> None:
        """`wrcor_ext.ops.accumulate_correlation`."""
        check_accumulator(k, x, counts)
        with self._launcher.on(x.device):
            self._correlate([x], np.full((1, 1), weight), k=k.data_ptr(), counts=counts.data_ptr())

    def accumulate_correlation_group(
        self, k: Tensor, xs: Sequence[Tensor], weights: Sequence[float], used: Tensor
    ) -> None:
        """`wrcor_ext.ops.accumulate_correlation_group`."""
        check_group(k, xs, weights, used)
        factors = np.array(weights, np.float64).reshape(k.shape[0], len(xs))
        with self._launcher.on(k.device):
            self._correlate(xs, factors, k=k.data_ptr(), used=used.data_ptr())

    def accumulate_hamming(self, k: Tensor, x: Tensor, weight: float, counts: Tensor) -> None:
        """`wrcor_ext.ops.accumulate_hamming`."""
        check_accumulator(k, x, counts)
        with self._launcher.on(x.device):
            view = view_response(x)
            how = plan.hamming_plan(x.dtype, view.rows, view.features)
            memory = workspace(x, how.bytes)
            bits = _pointer(memory.data_ptr())
            flags = _pointer(memory.data_ptr() + view.rows * how.words * 4)
            rows, features, stride = np.int64(view.rows), np.int64(view.features), np.int64(view.stride)
            self._launcher.launch(
                f"wrcor::sign_pack<{plan.ELEMENT_TYPES[x.dtype]}>", how.blocks, THREADS,
                (_pointer(view.owner.data_ptr()), rows, features, stride, np.int32(view.aligned), bits, flags),
            )  # fmt: skip
            self._launcher.launch(
                f"wrcor::sign_count<{how.tile}>", how.count_blocks, THREADS,
                (
                    bits, np.int64(how.words), flags, np.int32(how.blocks), np.int32(view.rows), features,
                    np.float64(weight), _pointer(k.data_ptr()), _pointer(counts.data_ptr()),
                ),
            )  # fmt: skip

    def slogdet(self, k: Tensor) -> tuple[Tensor, Tensor]:
        """`wrcor_ext.ops.slogdet`."""
        check_square(k)
        n = k.shape[-1]
        with self._launcher.on(k.device):
            matrices = contiguous(k.detach(), "the matrices")
            sign, logabsdet = k.new_empty(k.shape[:-2]), k.new_empty(k.shape[:-2])
            batch = sign.numel()
            how = plan.slogdet_plan(batch, n, self._launcher.shared_limit(k.device))
            memory = workspace(k, how.bytes)
            for first in range(0, batch, max(how.batch, 1)):
                count = min(how.batch, batch - first)
                inputs = (_pointer(matrices.data_ptr() + first * n * n * 8), np.int32(n))
                results = (_pointer(sign.data_ptr() + first * 8), _pointer(logabsdet.data_ptr() + first * 8))
                if how.shared_bytes:
                    self._launcher.launch(
                        "wrcor::slogdet_shared<wrcor::LuTraits>", count, THREADS, (*inputs, *results),
                        shared_bytes=how.shared_bytes,
                    )  # fmt: skip
                else:
                    self._launcher.launch(
                        "wrcor::slogdet_blocked<wrcor::LuTraits>", count, THREADS,
                        (*inputs, _pointer(memory.data_ptr()), *results),
                    )  # fmt: skip
        return sign, logabsdet

    def _correlate(
        self, xs: Sequence[Tensor], weights: Weights, *, out: int = 0, k: int = 0, counts: int = 0, used: int = 0
    ) -> None:
        """Two launches for each run of responses; `out` to `used` are addresses."""
        # Copies and workspace come before the first launch: a device without room for them leaves k as it is.
        views = [view_response(x) for x in xs]
        dtype, rows = xs[0].dtype, views[0].rows
        runs = plan.correlation_runs(dtype, rows, [view.features for view in views])
        memory = workspace(xs[0], max(run.workspace.bytes for run in runs))
        first = 0
        for run in runs:
            last = first + len(run.plans)
            result = parameters.correlation_result(
                out=out, k=k, counts=counts, used=used and used + first * 8, sums=len(weights)
            )
            self._correlate_run(dtype, views[first:last], run, weights[:, first:last], memory, result)
            first = last

    def _correlate_run(
        self,
        dtype: torch.dtype,
        views: Sequence[Response],
        run: plan.CorrelationRun,
        weights: Weights,
        memory: Tensor,
        result: Structure,
    ) -> None:
        how = run.plans[0]
        table = parameters.response_table(views, run.plans)
        partials = parameters.correlation_partials(memory.data_ptr(), run.workspace)
        chunks = sum(one.chunks for one in run.plans)
        self._launcher.launch(how.slices_kernel(dtype), chunks * how.pairs, how.slices_threads, (table, partials))
        self._launcher.launch(
            plan.merge_kernel(dtype), plan.merge_blocks(views[0].rows), THREADS,
            (table, parameters.response_weights(weights), parameters.merge_view(partials, how), result),
        )  # fmt: skip


def _pointer(address: int) -> Argument:
    pointer: np.uint64 = POINTER(address)
    return pointer
