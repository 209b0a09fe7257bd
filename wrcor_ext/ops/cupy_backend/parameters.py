"""Parameters that the CUDA kernels take by value, as numpy structures with the memory layout of the C++ ones.

CuPy copies a parameter from the address of a numpy array of one element. Tests compare size and offsets of every
structure with those that the C++ compiler chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from wrcor_ext.ops.cupy_backend.memory import contiguous
from wrcor_ext.ops.cupy_backend.plan import (
    LOAD_BYTES,
    MAX_RESPONSES,
    MAX_SUMS,
    CorrelationPlan,
    CorrelationWorkspace,
)  # fmt: skip

Structure = NDArray[Any]
"""One element of one of the structures below."""

POINTER = np.uint64

RESPONSE = np.dtype(
    [
        ("data", POINTER), ("stride", np.int64), ("features", np.int64),
        ("first_chunk", np.int32), ("chunks", np.int32), ("slices_per_chunk", np.int32), ("aligned", np.int32),
    ],
    align=True,
)  # fmt: skip

RESPONSE_TABLE = np.dtype(
    [("responses", RESPONSE, (MAX_RESPONSES,)), ("count", np.int32), ("rows", np.int32)], align=True
)

CORRELATION_PARTIALS = np.dtype(
    [(name, POINTER) for name in ("gram", "mean", "exponent", "flags", "status")], align=True
)

CORRELATION_PLAN = np.dtype(
    [
        ("panel_rows", np.int32), ("pair", np.bool_), ("panels", np.int32), ("pairs", np.int32),
        ("features", np.int32), ("gram_elements", np.int32), ("slices_per_chunk", np.int32), ("chunks", np.int32),
    ],
    align=True,
)  # fmt: skip

MERGE_VIEW = np.dtype([("partials", CORRELATION_PARTIALS), ("plan", CORRELATION_PLAN)], align=True)

RESPONSE_WEIGHTS = np.dtype([("of", np.float64, (MAX_SUMS, MAX_RESPONSES))], align=True)

CORRELATION_RESULT = np.dtype(
    [*((name, POINTER) for name in ("out", "k", "counts", "used")), ("sums", np.int32)], align=True
)


@dataclass(frozen=True)
class Response:
    """A response as the kernels read it: rows of `features` elements, `stride` elements apart.

    Attributes:
        owner: what keeps the memory alive.
    """

    owner: Tensor
    features: int
    stride: int

    @property
    def rows(self) -> int:
        """N."""
        return self.owner.shape[0]

    @property
    def aligned(self) -> bool:
        """Whether every row starts on 16 bytes."""
        return self.owner.data_ptr() % LOAD_BYTES == 0 and self.stride * self.owner.itemsize % LOAD_BYTES == 0


def view_response(x: Tensor) -> Response:
    """Reads `x` in place if every sample is one dense block, in whatever order of its dimensions; else copies it once.

    Correlation and counting do not depend on the order of features, as long as all rows share it.
    """
    dense = x.detach() if _sample_is_dense(x) else contiguous(x.detach(), "a response")
    return Response(dense, x.numel() // x.shape[0], dense.stride(0))


def _sample_is_dense(x: Tensor) -> bool:
    """Whether the dimensions after the first one cover consecutive elements exactly once."""
    expected = 1
    for stride, size in sorted(zip(x.stride()[1:], x.shape[1:], strict=True)):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


def response_table(responses: Sequence[Response], plans: Sequence[CorrelationPlan]) -> Structure:
    """[1] RESPONSE_TABLE: the responses of one launch, which have equal N."""
    table = np.zeros(1, RESPONSE_TABLE)
    table["count"], table["rows"] = len(responses), responses[0].rows
    chunks = 0
    entries = []
    for x, plan in zip(responses, plans, strict=True):
        data = x.owner.data_ptr()
        entries.append((data, x.stride, x.features, chunks, plan.chunks, plan.slices_per_chunk, x.aligned))
        chunks += plan.chunks
    table["responses"][0, : len(entries)] = np.array(entries, RESPONSE)
    return table


def correlation_partials(memory: int, at: CorrelationWorkspace) -> Structure:
    """[1] CORRELATION_PARTIALS: where the workspace at address `memory` holds what."""
    return np.array(
        [(memory + at.gram, memory + at.mean, memory + at.exponent, memory + at.flags, memory + at.status)],
        CORRELATION_PARTIALS,
    )


def merge_view(partials: Structure, plan: CorrelationPlan) -> Structure:
    """[1] MERGE_VIEW: the partial results and how panels and slices were cut."""
    view = np.zeros(1, MERGE_VIEW)
    view["partials"] = partials
    view["plan"] = tuple(vars(plan).values())
    return view


def response_weights(weights: NDArray[np.float64]) -> Structure:
    """[1] RESPONSE_WEIGHTS: the factors [sums, responses] of one launch."""
    padded = np.zeros(1, RESPONSE_WEIGHTS)
    padded["of"][0, : weights.shape[0], : weights.shape[1]] = weights
    return padded


def correlation_result(*, out: int = 0, k: int = 0, counts: int = 0, used: int = 0, sums: int = 0) -> Structure:
    """[1] CORRELATION_RESULT: addresses of results, 0 for what nobody asks."""
    return np.array([(out, k, counts, used, sums)], CORRELATION_RESULT)
