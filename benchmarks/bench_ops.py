"""Times the ops: native kernels against their torch twins, torch.corrcoef, numpy.corrcoef and one plain x @ x.T.

    python benchmarks/bench_ops.py --refcheck

One thread by default. The first contender of each case is the native kernel, so a ratio of 8 means that the native
kernel is 8 times faster. GFLOP/s count N (N + 1) D useful operations for every contender.
"""

from __future__ import annotations

import argparse
import os

# numpy reads these once, when it is imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.pop("OPENBLAS_CORETYPE", None)  # numpy is measured with the kernels it chooses for this processor

from collections.abc import Callable, Mapping  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from driver import Result, compare, parser, show, write_csv  # noqa: E402
from torch import Tensor  # noqa: E402

from wrcor_ext import ops  # noqa: E402
from wrcor_ext.ops import reference  # noqa: E402

# (rows, features): the target shape, the responses of NAS-Bench-201 networks, other batch sizes, an odd size.
SHAPES = ((64, 131072), (64, 16384), (64, 8192), (64, 4096), (16, 65536), (128, 65536), (64, 100003))
OTHER_DTYPES = (torch.float64, torch.float16, torch.bfloat16)


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def errors_of(contenders: Mapping[str, Callable[[], object]], expected: np.ndarray) -> dict[str, float]:
    """Largest absolute error of every contender that returns a correlation matrix."""
    found = {}
    for name, function in contenders.items():
        if name != "x @ x.T":
            found[name] = float((torch.as_tensor(function()).double() - torch.from_numpy(expected)).abs().max())
    return found


def correlation_contenders(x: Tensor) -> dict[str, Callable[[], object]]:
    contenders: dict[str, Callable[[], object]] = {
        "native": lambda: ops.response_correlation(x),
        "torch reference": lambda: reference.response_correlation(x),
    }
    if x.dim() == 2:
        contenders["torch.corrcoef"] = lambda: torch.corrcoef(x)
        contenders["x @ x.T"] = lambda: x @ x.T
    if x.dtype in (torch.float32, torch.float64):
        array = x.flatten(1).numpy()
        contenders["numpy.corrcoef"] = lambda: np.corrcoef(array)
    return contenders


def bench_correlation(x: Tensor, case: str, args: argparse.Namespace) -> list[Result]:
    contenders = correlation_contenders(x)
    errors = errors_of(contenders, np.corrcoef(x.flatten(1).double().numpy())) if args.refcheck else None
    rows, features = x.shape[0], x[0].numel()
    return compare(
        "ops",
        case,
        contenders,
        dtype=name_of(x.dtype),
        shape=tuple(x.shape),
        input_bytes=x.numel() * x.element_size(),
        flops=rows * (rows + 1) * features,
        cold=args.cold,
        budget_ms=args.budget_ms,
        errors=errors,
    )


def bench_accumulate(name: str, x: Tensor, args: argparse.Namespace) -> list[Result]:
    n = x.shape[0]
    k, counts = torch.zeros(n, n, dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
    contenders = {
        "native": lambda: getattr(ops, name)(k, x, 1.0, counts),
        "torch reference": lambda: getattr(reference, name)(k, x, 1.0, counts),
    }
    errors = None
    if args.refcheck:
        expected = torch.zeros_like(k)
        getattr(reference, name)(expected, x, 1.0, counts)
        getattr(ops, name)(k, x, 1.0, counts)
        errors = {"native": float((k - expected).abs().max())}
    return compare(
        "ops",
        name,
        contenders,
        dtype=name_of(x.dtype),
        shape=tuple(x.shape),
        input_bytes=x.numel() * x.element_size(),
        cold=args.cold,
        budget_ms=args.budget_ms,
        errors=errors,
    )


def bench_slogdet(n: int, args: argparse.Namespace) -> list[Result]:
    k = ops.response_correlation(torch.randn(n, 4 * n)).abs()
    array = k.numpy()
    contenders = {
        "native": lambda: ops.slogdet(k),
        "torch reference": lambda: reference.slogdet(k),
        "torch.linalg": lambda: torch.linalg.slogdet(k),
        "numpy.linalg": lambda: np.linalg.slogdet(array),
    }
    errors = None
    if args.refcheck:
        expected = np.linalg.slogdet(array).logabsdet
        errors = {name: abs(float(function()[1]) - expected) for name, function in contenders.items()}
    return compare(
        "ops",
        "slogdet",
        contenders,
        dtype="float64",
        shape=(n, n),
        flops=2 / 3 * n**3,
        cold=args.cold,
        budget_ms=args.budget_ms,
        errors=errors,
    )


def main() -> None:
    args = parser(__doc__, "ops.csv").parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    results: list[Result] = []

    def keep(rows: list[Result]) -> None:
        show(rows)
        results.extend(rows)

    for shape in SHAPES:
        keep(bench_correlation(torch.randn(shape), "response_correlation", args))
    for dtype in OTHER_DTYPES:
        keep(bench_correlation(torch.randn(64, 16384).to(dtype), "response_correlation", args))
    image = torch.randn(64, 16, 32, 32).to(memory_format=torch.channels_last)
    keep(bench_correlation(image, "response_correlation channels_last", args))
    for name in ("accumulate_correlation", "accumulate_hamming"):
        for features in (131072, 16384):
            keep(bench_accumulate(name, torch.randn(64, features), args))
    for n in (16, 64, 128, 512):
        keep(bench_slogdet(n, args))
    write_csv(args.out, results)
    print(f"\nwritten: {args.out}")


if __name__ == "__main__":
    main()
