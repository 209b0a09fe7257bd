"""Who can do the work of each op, and how each result is read for the reference check.

The first contender is whatever `wrcor_ext.ops` answers with on the device, under the name that `ops.backends()` gives
it ("native", "cupy" or "torch"). Then come, where they are not the first, the same kernels launched by CuPy and the
pure-torch twin; what one would write with `torch.corrcoef` or `torch.linalg`; the same compiled by `torch.compile`;
and numpy on the host: on a GPU with the copy to the host, which is part of that way of doing it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np
import oracle
import torch
from driver import Contender
from torch import Tensor

from wrcor_ext import ops
from wrcor_ext.ops import cupy_backend, reference

Contenders = dict[str, Contender]


def response_correlation(x: Tensor, *, yardstick: bool = False) -> Contenders:
    """C(x) of one response [N, ...]; `yardstick` adds one plain `x @ x.T`, which is no correlation."""
    runs = _library("response_correlation", x.device, lambda op: lambda: op(x))
    runs["torch.corrcoef"] = lambda: _corrcoef(x)
    runs |= _compiled(_corrcoef, (x,))
    runs["numpy"] = lambda: np.corrcoef(_on_host(x))
    expected = oracle.correlation(x)
    contenders = {name: _returning(run, expected) for name, run in runs.items()}
    if yardstick:
        rows = x.flatten(1)
        contenders["x @ x.T"] = Contender(lambda: rows @ rows.T)
    return contenders


def accumulate_correlation(x: Tensor) -> Contenders:
    """K += abs(C(x)), or nothing if that holds a NaN."""
    return _accumulate(
        "accumulate_correlation", x, _add_correlation, _add_correlation_on_host, oracle.correlation_sum([x], [1.0])
    )


def accumulate_correlation_group(xs: Sequence[Tensor]) -> Contenders:
    """K += abs(C(x)) for each of a list of responses; contenders without a grouped call take them one by one."""
    (k, counts), used = _sums(xs[0]), torch.zeros(len(xs), dtype=torch.int64, device=xs[0].device)
    on_host = np.zeros(k.shape)
    weights = [1.0] * len(xs)
    runs = _library("accumulate_correlation_group", k.device, lambda op: lambda: op(k[None], xs, weights, used))
    answering = next(iter(runs))
    runs[f"{answering}, one by one"] = lambda: [ops.accumulate_correlation(k, x, 1.0, counts) for x in xs]
    runs["torch.corrcoef"] = lambda: [_add_correlation(k, x) for x in xs]
    runs |= _compiled(_add_correlation, *((k, x) for x in xs))
    expected = oracle.correlation_sum(xs, weights)
    contenders = {name: _adding(run, k, expected) for name, run in runs.items()}
    contenders["numpy"] = _adding(lambda: [_add_correlation_on_host(on_host, x) for x in xs], on_host, expected)
    return contenders


def accumulate_hamming(x: Tensor) -> Contenders:
    """K += B B^T + (1 - B)(1 - B)^T with B = x > 0."""
    return _accumulate("accumulate_hamming", x, _add_hamming, _add_hamming_on_host, oracle.hamming(x))


def slogdet(k: Tensor) -> Contenders:
    """Sign and log abs det of each matrix [..., N, N] float64."""
    expected = oracle.slogdet(k)
    runs = _library("slogdet", k.device, lambda op: lambda: op(k))
    runs["torch.linalg"] = lambda: torch.linalg.slogdet(k)
    runs |= _compiled(torch.linalg.slogdet, (k,))
    runs["numpy"] = lambda: np.linalg.slogdet(k.cpu().numpy())

    def stacked(run: Callable[[], object]) -> Callable[[], object]:
        return lambda: np.stack([torch.as_tensor(part).cpu().numpy() for part in run()])  # type: ignore[attr-defined]

    return {name: Contender(run, _returning(stacked(run), expected).error) for name, run in runs.items()}


def _accumulate(
    op: str,
    x: Tensor,
    torch_step: Callable[[Tensor, Tensor], object],
    numpy_step: Callable[[np.ndarray, Tensor], object],
    expected: oracle.Matrix,
) -> Contenders:
    k, counts = _sums(x)
    on_host = np.zeros(k.shape)
    runs = _library(op, x.device, lambda function: lambda: function(k, x, 1.0, counts))
    runs["torch.corrcoef" if "correlation" in op else "torch matmul"] = lambda: torch_step(k, x)
    runs |= _compiled(torch_step, (k, x))
    contenders = {name: _adding(run, k, expected) for name, run in runs.items()}
    contenders["numpy"] = _adding(lambda: numpy_step(on_host, x), on_host, expected)
    return contenders


def _library(
    op: str, device: torch.device, bind: Callable[[Callable[..., object]], Callable[[], object]]
) -> dict[str, Callable[[], object]]:
    """The op as the package answers it, and by CuPy (on a GPU) and its pure-torch twin where these are not the same."""
    answering = next(b.backend for b in ops.backends() if (b.op, b.device) == (op, device.type))
    runs = {answering: bind(getattr(ops, op))}
    kernels = cupy_backend.find().ops if device.type == "cuda" else None
    if kernels is not None:
        runs.setdefault("cupy", bind(getattr(kernels, op)))
    runs.setdefault("torch", bind(getattr(reference, op)))
    return runs


def _compiled(function: Callable[..., object], *calls: tuple[Tensor, ...]) -> dict[str, Callable[[], object]]:
    """`function` under `torch.compile`, compiled for these calls' shapes and made once for each.

    Where that is impossible it is left out, and standard error says why.
    """
    torch.compiler.reset()  # torch gives up on a function after eight shapes
    compiled = torch.compile(function, dynamic=False)

    def run() -> object:
        for call in calls:
            result = compiled(*call)
        return result

    try:
        run()
    except Exception as error:  # noqa: BLE001  no compiler, no Triton, an unsupported card: each raises its own
        reason = str(error).strip().partition("\n")[0]
        print(f"without torch.compile: {type(error).__name__}: {reason}", file=sys.stderr)
        return {}
    return {"torch.compile": run}


def _returning(run: Callable[[], object], expected: oracle.Matrix) -> Contender:
    """Checked by what it returns."""
    return Contender(run, lambda: oracle.deviation(run(), expected))  # type: ignore[arg-type]


def _adding(run: Callable[[], object], k: Tensor | np.ndarray, expected: oracle.Matrix) -> Contender:
    """Checked by what it adds to K."""

    def error() -> float:
        k[:] = 0.0
        run()
        return oracle.deviation(k, expected)

    return Contender(run, error)


def _sums(x: Tensor) -> tuple[Tensor, Tensor]:
    n = x.shape[0]
    return (
        torch.zeros(n, n, dtype=torch.float64, device=x.device),
        torch.zeros(2, dtype=torch.int64, device=x.device),
    )


def _corrcoef(x: Tensor) -> Tensor:
    """In float32 at least: sums of float16 overflow."""
    return torch.corrcoef(x.flatten(1).to(torch.promote_types(x.dtype, torch.float32)))


def _add_correlation(k: Tensor, x: Tensor) -> None:
    c = _corrcoef(x).abs()
    k.add_(torch.where(c.isnan().any(), 0.0, c))


def _add_hamming(k: Tensor, x: Tensor) -> None:
    on = (x.flatten(1) > 0).to(torch.float32)  # exact: sums of ones stay below 2^24
    off = 1.0 - on
    k.add_(on @ on.T + off @ off.T)


def _on_host(x: Tensor) -> np.ndarray:
    """numpy has no bfloat16, and computes float16 in software."""
    rows = x.flatten(1).cpu()
    return rows.to(torch.promote_types(rows.dtype, torch.float32)).numpy()


def _add_correlation_on_host(k: np.ndarray, x: Tensor) -> None:
    c = np.abs(np.corrcoef(_on_host(x)))
    if not np.isnan(c).any():
        k += c


def _add_hamming_on_host(k: np.ndarray, x: Tensor) -> None:
    on = (_on_host(x) > 0).astype(np.float32)
    off = 1.0 - on
    k += on @ on.T + off @ off.T
