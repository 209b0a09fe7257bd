"""How the CUDA kernels are launched: grids, workspaces, template instances, from shapes and element types alone.

The Python twin of `csrc/kernels/correlation_plan.cuh` and `csrc/cuda`; tests compare every number with the C++ one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

ELEMENT_TYPES = {
    torch.float32: "float",
    torch.float64: "double",
    torch.float16: "__half",
    torch.bfloat16: "__nv_bfloat16",
}
"""The C++ type of a stored element."""

LOAD_BYTES = 16
"""Of the widest load of a thread."""

MAX_RESPONSES = 32
"""Responses of one launch."""

MAX_SUMS = 8
"""Sums that a launch adds to."""

THREADS = 256
"""Of a block of every kernel but `correlation_slices`, whose plan says it."""

# The C++ headers have the reason of each.
_TARGET_THREADS = 132 * 512
_MAX_CHUNK_FEATURES = 4096
_MAX_CHUNKS = 1024
_RUN_BYTES = 64 << 20
_MERGE_SIDE = 8
_PACK_BLOCKS = 1056
_WIDE_TILE_ROWS = 128
_BLOCKED_BATCH = 264


def compute_type(dtype: torch.dtype) -> str:
    """The C++ type that elements are computed in."""
    return "double" if dtype == torch.float64 else "float"


def triangle(rows: int, side: int) -> int:
    """Blocks of a triangle of groups of `side` rows, with its diagonal."""
    sides = -(-rows // side)
    return sides * (sides + 1) // 2


@dataclass(frozen=True)
class CorrelationPlan:
    """How a response is cut; `CorrelationPlan` of the C++ code."""

    panel_rows: int
    pair: bool
    panels: int
    pairs: int
    features: int
    gram_elements: int
    slices_per_chunk: int
    chunks: int

    def slices_kernel(self, dtype: torch.dtype) -> str:
        """The instance of the first kernel."""
        return f"wrcor::correlation_slices<{ELEMENT_TYPES[dtype]}, {self.panel_rows}, {str(self.pair).lower()}>"

    @property
    def slices_threads(self) -> int:
        """Threads of a block of the first kernel."""
        return _slice_threads(self.panel_rows)


def _slice_threads(panel_rows: int) -> int:
    return {16: 128, 128: 512}.get(panel_rows, 256)


def correlation_plan(dtype: torch.dtype, rows: int, features: int) -> CorrelationPlan:
    """How a response [rows, features] is cut."""
    double = dtype == torch.float64
    panel_rows = 16 if rows <= 16 else 32 if rows <= 32 or double else 64 if rows <= 64 else 128
    pair = rows > panel_rows
    panels = -(-rows // panel_rows)
    pairs = panels * (panels + 1) // 2
    slice_features = 64 if double else 32 if pair else 128 if panel_rows <= 32 else 64
    blocks = _TARGET_THREADS // _slice_threads(panel_rows)
    slices = -(-features // slice_features)
    length = min(-(-slices * pairs // blocks), _MAX_CHUNK_FEATURES // slice_features)
    length = max(length, -(-slices // _MAX_CHUNKS))
    return CorrelationPlan(
        panel_rows, pair, panels, pairs, slice_features, panel_rows * panel_rows, length, -(-slices // length)
    )


def merge_kernel(dtype: torch.dtype) -> str:
    """The instance of the second kernel of a correlation."""
    return f"wrcor::correlation_merge<{compute_type(dtype)}>"


def merge_blocks(rows: int) -> int:
    """Blocks of `correlation_merge`."""
    return triangle(rows, _MERGE_SIDE)


@dataclass(frozen=True)
class CorrelationWorkspace:
    """Offsets in bytes of what the first kernel leaves for the second one."""

    gram: int
    mean: int
    exponent: int
    flags: int
    status: int
    bytes: int


def correlation_workspace(plan: CorrelationPlan, dtype: torch.dtype, chunks: int) -> CorrelationWorkspace:
    """Places in one workspace for `chunks` chunks of responses that are all cut like `plan`."""
    size = 8 if dtype == torch.float64 else 4
    rows = chunks * plan.panels * plan.panel_rows
    gram = rows * 8
    exponent = gram + chunks * plan.pairs * plan.gram_elements * size
    flags = exponent + rows * 4
    status = flags + rows * 4
    return CorrelationWorkspace(gram, 0, exponent, flags, status, status + chunks * plan.panels * 4)


@dataclass(frozen=True)
class CorrelationRun:
    """Responses of a group that share two launches.

    Attributes:
        plans: how each is cut.
        workspace: of all of them.
    """

    plans: tuple[CorrelationPlan, ...]
    workspace: CorrelationWorkspace


def correlation_runs(dtype: torch.dtype, rows: int, features: Sequence[int]) -> list[CorrelationRun]:
    """Cuts a group of responses with these numbers of features into runs, which use one workspace in turn."""
    runs: list[CorrelationRun] = []
    for length in features:
        plan = correlation_plan(dtype, rows, length)
        plans = (*runs[-1].plans, plan) if runs else (plan,)
        workspace = correlation_workspace(plan, dtype, sum(one.chunks for one in plans))
        if runs and len(plans) <= MAX_RESPONSES and workspace.bytes <= _RUN_BYTES:
            runs[-1] = CorrelationRun(plans, workspace)
        else:
            runs.append(CorrelationRun((plan,), correlation_workspace(plan, dtype, plan.chunks)))
    return runs


@dataclass(frozen=True)
class HammingPlan:
    """How sign patterns are packed and compared.

    Attributes:
        words: 32-bit words of a row.
        blocks: blocks of the first launch, each with a flag.
        bytes: workspace: the bits of all rows, then the flags.
        tile: rows that a block of the second launch compares with as many.
        count_blocks: blocks of the second launch.
    """

    words: int
    blocks: int
    bytes: int
    tile: int
    count_blocks: int


def hamming_plan(dtype: torch.dtype, rows: int, features: int) -> HammingPlan:
    """How the signs of a response [rows, features] are packed and compared."""
    vector = LOAD_BYTES // dtype.itemsize
    piece = max(128, vector * 32)  # features that a warp packs at a time
    pieces = -(-features // piece)
    words = pieces * (piece // 32)
    blocks = min(-(-rows * pieces // (THREADS // 32)), _PACK_BLOCKS)
    tile = 4 if rows <= _WIDE_TILE_ROWS else 8
    return HammingPlan(words, blocks, (rows * words + blocks) * 4, tile, triangle(rows, tile))


@dataclass(frozen=True)
class SlogdetPlan:
    """How log-determinants are computed.

    Attributes:
        shared_bytes: dynamic shared memory of a block that eliminates a whole matrix there; 0: blocked, by panels.
        batch: matrices of one launch.
        bytes: workspace, for the copies of the matrices of one blocked launch.
    """

    shared_bytes: int
    batch: int
    bytes: int


def slogdet_plan(batch: int, n: int, shared_limit: int) -> SlogdetPlan:
    """How the log-determinants of [batch, n, n] are computed where a block may use `shared_limit` bytes."""
    shared_bytes = (n * (n | 1) + 2 * n) * 8
    if shared_bytes + 64 <= shared_limit:
        return SlogdetPlan(shared_bytes, batch, 0)
    at_once = min(batch, _BLOCKED_BATCH)
    return SlogdetPlan(0, at_once, at_once * n * n * 8)
