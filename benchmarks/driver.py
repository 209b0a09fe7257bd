"""The one benchmark driver: fair timings, the machine they were taken on, and a CSV with one schema.

Contenders of a case run in turn, round after round, so that whatever else the machine does hits all of them alike; the
ratio of two medians of one run is what to quote. Wall time is what users feel; processor time of the calling thread
leaves out what other processes took and is the better figure on a busy machine (with one thread).
"""

from __future__ import annotations

import argparse
import csv
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch

from wrcor_ext import ops

RESULTS = Path(__file__).parent / "results"

# Larger than the last-level cache of one socket of the machines in question: writing it evicts the inputs.
_FLUSH_BYTES = 96 * 2**20


@dataclass(frozen=True)
class Result:
    """One contender of one case: a row of the CSV."""

    benchmark: str
    case: str
    contender: str
    dtype: str
    shape: str
    cache: str
    wall_ms: float  # median
    cpu_ms: float  # median, calling thread
    samples: int
    wall_ratio: float  # to the first contender, medians
    cpu_ratio: float
    gb_per_s: float  # bytes of the input over wall_ms
    gflop_per_s: float
    max_error: float  # against the float64 reference; NaN where not checked
    threads: int
    cpu: str
    instruction_set: str
    torch: str
    numpy: str
    python: str


def environment() -> dict[str, str | int]:
    """What the figures depend on: processor, instruction set, versions, threads. Never a host name or a path."""
    library = ops.native_library()
    return {
        "threads": torch.get_num_threads(),
        "cpu": _cpu_model(),
        "instruction_set": "none" if library is None else library.instruction_set,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    detail = f" (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else ""
    return facts.get("model name", platform.machine()) + detail


def compare(
    benchmark: str,
    case: str,
    contenders: Mapping[str, Callable[[], object]],
    *,
    dtype: str,
    shape: Sequence[int],
    input_bytes: float = float("nan"),
    flops: float = float("nan"),
    cold: bool = False,
    budget_ms: float = 1500.0,
    warmup_ms: float = 100.0,
    errors: Mapping[str, float] | None = None,
) -> list[Result]:
    """Times all contenders in turn and returns one row each; ratios are to the first.

    Args:
        benchmark: name of the benchmark.
        case: name of the case.
        contenders: functions without arguments that do the whole work.
        dtype: element type of the input.
        shape: shape of the input.
        input_bytes: bytes that must be read at least once, for GB/s.
        flops: useful floating-point operations, for GFLOP/s.
        cold: evict the caches before every sample.
        budget_ms: time for all samples of all contenders; each gets at least five.
        warmup_ms: time that each contender runs before it is timed.
        errors: largest absolute error by contender, from the reference check.
    """
    for function in contenders.values():
        _warm_up(function, warmup_ms)
    wall: dict[str, list[float]] = {name: [] for name in contenders}
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    flush = np.zeros(_FLUSH_BYTES // 8) if cold else None
    end = time.perf_counter() + budget_ms / 1e3
    rounds = 0
    while rounds < 5 or time.perf_counter() < end:
        rounds += 1
        for name, function in contenders.items():
            if flush is not None:
                flush += 1.0
            cpu_start, wall_start = time.thread_time(), time.perf_counter()
            function()
            wall[name].append((time.perf_counter() - wall_start) * 1e3)
            cpu[name].append((time.thread_time() - cpu_start) * 1e3)
    first = next(iter(contenders))
    rows = []
    for name in contenders:
        wall_ms, cpu_ms = statistics.median(wall[name]), statistics.median(cpu[name])
        rows.append(
            Result(
                benchmark=benchmark,
                case=case,
                contender=name,
                dtype=dtype,
                shape="x".join(map(str, shape)),
                cache="cold" if cold else "warm",
                wall_ms=wall_ms,
                cpu_ms=cpu_ms,
                samples=rounds,
                wall_ratio=wall_ms / statistics.median(wall[first]),
                cpu_ratio=cpu_ms / statistics.median(cpu[first]),
                gb_per_s=input_bytes / wall_ms / 1e6,
                gflop_per_s=flops / wall_ms / 1e6,
                max_error=(errors or {}).get(name, float("nan")),
                **environment(),
            )
        )
    return rows


def _warm_up(function: Callable[[], object], milliseconds: float) -> None:
    end = time.perf_counter() + milliseconds / 1e3
    function()
    while time.perf_counter() < end:
        function()


def parser(doc: str | None, default_output: str) -> argparse.ArgumentParser:
    """The flags that every benchmark shares."""
    result = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    result.add_argument("--budget-ms", type=float, default=1500.0, help="sampling time per case (default 1500)")
    result.add_argument("--cold", action="store_true", help="evict the caches before every sample")
    result.add_argument("--refcheck", action="store_true", help="compare every result with a float64 reference first")
    result.add_argument("--out", type=Path, default=RESULTS / default_output, help="CSV to write")
    return result


def write_csv(path: Path, rows: Sequence[Result]) -> None:
    """Writes one line per row under the shared header, figures to five digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Result)])
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in asdict(row).items()})


def show(rows: Sequence[Result]) -> None:
    """Prints rows as an aligned table."""
    print(f"\n{rows[0].case}  [{rows[0].shape}] {rows[0].dtype}, {rows[0].cache} cache, {rows[0].threads} thread(s)")
    for row in rows:
        times = f"{row.wall_ms:10.3f} ms wall {row.cpu_ms:10.3f} ms cpu"
        ratios = f"{row.wall_ratio:6.2f}x wall {row.cpu_ratio:6.2f}x cpu"
        rates = f"{row.gb_per_s:7.2f} GB/s {row.gflop_per_s:8.1f} GFLOP/s"
        print(f"  {row.contender:<18} {times}   {ratios} {rates}  error {row.max_error:.1e}")
