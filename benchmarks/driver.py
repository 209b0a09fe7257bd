"""The one benchmark driver: checked results, fair timings, one CSV.

Contenders of a case run in turn, round after round, so that whatever else the machine does hits all of them alike; the
ratio of two medians of one run is what to quote. Before anything is timed, `--refcheck` compares the result of every
contender with a float64 numpy oracle: a wrong one gets no figure, and the run ends with exit code 1.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from environment import environment, slug
from rich.console import Console
from schema import RESULTS, Result, write_csv
from table import show
from timing import Clock, Sample, Work, copy_sample

_FEWEST_ROUNDS = 5
_PIPE_WIDTH = 120
_NAN = float("nan")


@dataclass(frozen=True)
class Contender:
    """Who competes in a case.

    Attributes:
        run: does the whole work.
        error: runs it once and returns the deviation from the oracle, NaN compares as wrong; None: nothing to check.
    """

    run: Work
    error: Callable[[], float] | None = None


@dataclass(frozen=True)
class Case:
    """What all contenders of a table do.

    Attributes:
        name: what, and of what.
        shape: of the input, in words.
        dtype: element type of the input.
        input_bytes: bytes that must be read at least once, for GB/s; NaN where that says nothing.
        flops: useful floating-point operations, for GFLOP/s; NaN where that says nothing.
        tolerance: largest error that counts as right.
    """

    name: str
    shape: str
    dtype: str
    input_bytes: float = _NAN
    flops: float = _NAN
    tolerance: float = 0.0


class Session:
    """One run of a benchmark: collects rows, and remembers what was wrong.

    Args:
        benchmark: its name, the first column.
        args: of `parser`.
    """

    def __init__(self, benchmark: str, args: argparse.Namespace) -> None:
        self.args = args
        self.device = chosen_device(args.device)
        torch.set_num_threads(args.threads)
        self.rows: list[Result] = []
        self.wrong: list[str] = []
        # A pipe has no width of its own, and a table of eighty columns would break its cells.
        self.console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
        self._benchmark = benchmark
        self._environment = environment(self.device)
        self._clock = Clock(self.device, cold=not args.warm)
        self._out: Path = args.out or RESULTS / default_name(benchmark, self._environment)
        self._copied_per_second = self._copy()

    def compare(self, case: Case, contenders: Mapping[str, Contender]) -> list[Result]:
        """Checks, times, shows and keeps a case; ratios are to its first contender."""
        errors = self._errors(case, contenders)
        right = {name: c.run for name, c in contenders.items() if name not in errors or errors[name] <= case.tolerance}
        for name in contenders.keys() - right.keys():
            self.wrong.append(f"{case.name} [{case.shape}] {case.dtype}: {name} is off by {errors[name]:.1e}")
        samples = self._samples(right)
        baseline = next(iter(contenders))
        rows = [
            self.row(case, name, samples.get(name, []), baseline, samples.get(baseline, []), errors.get(name, _NAN))
            for name in contenders
        ]
        self.rows += rows
        show(self.console, rows)
        write_csv(self._out, self.rows)  # whatever comes next: a run on a lent machine may be cut off
        return rows

    def row(
        self,
        case: Case,
        backend: str,
        samples: Sequence[Sample],
        baseline: str,
        baseline_samples: Sequence[Sample] = (),
        error: float = _NAN,
    ) -> Result:
        """A row of the table from samples; without samples it has no figures."""
        seconds, cpu_seconds = _medians(samples)
        baseline_seconds, baseline_cpu = _medians(baseline_samples)
        gb_per_s = case.input_bytes / seconds / 1e9
        return Result(
            benchmark=self._benchmark,
            case=case.name,
            shape=case.shape,
            dtype=case.dtype,
            backend=backend,
            baseline=baseline,
            cache="warm" if self.args.warm else "cold",
            seconds=seconds,
            seconds_min=min((s.seconds for s in samples), default=_NAN),
            seconds_max=max((s.seconds for s in samples), default=_NAN),
            cpu_seconds=cpu_seconds,
            samples=len(samples),
            ratio=seconds / baseline_seconds,
            cpu_ratio=cpu_seconds / baseline_cpu,
            gb_per_s=gb_per_s,
            gflop_per_s=case.flops / seconds / 1e9,
            share_of_copy=gb_per_s * 1e9 / self._copied_per_second,
            error=error,
            **self._environment,  # type: ignore[arg-type]
        )

    def finish(self) -> int:
        """Writes the CSV, names what was wrong, and returns the exit code."""
        write_csv(self._out, self.rows)
        self.console.print(f"\nwritten: {_relative(self._out)}", highlight=False)
        for line in self.wrong:
            self.console.print(f"[bold red]wrong:[/] {line}", highlight=False)
        return 1 if self.wrong else 0

    def _copy(self) -> float:
        """Bytes a second that a large copy reads and writes; the first row."""
        size, seconds = copy_sample(self.device)
        case = Case("copy_ of a large tensor, read and written", str(size // 4), "float32", input_bytes=2.0 * size)
        self._copied_per_second = 2.0 * size / seconds
        self.rows.append(self.row(case, "torch", [Sample(seconds, _NAN)], "torch", [Sample(seconds, _NAN)]))
        where = f"{self._environment['hardware']}, {self._environment['threads']} thread(s)"
        self.console.print(f"{where}: a copy moves {self._copied_per_second / 1e9:.1f} GB/s", highlight=False)
        return self._copied_per_second

    def _errors(self, case: Case, contenders: Mapping[str, Contender]) -> dict[str, float]:
        if not self.args.refcheck:
            return {}
        checked = {name: c.error() for name, c in contenders.items() if c.error is not None}
        return {name: math.inf if math.isnan(error) else error for name, error in checked.items()}

    def _samples(self, contenders: Mapping[str, Work]) -> dict[str, list[Sample]]:
        for run in contenders.values():
            self._clock.warm_up(run, self.args.warmup_ms)
        samples: dict[str, list[Sample]] = {name: [] for name in contenders}
        end, rounds = time.perf_counter() + self.args.budget_ms / 1e3, 0
        while contenders and (rounds < _FEWEST_ROUNDS or time.perf_counter() < end):
            for name, sample in self._clock.round(contenders).items():
                samples[name].append(sample)
            rounds += 1
        return samples


def parser(doc: str | None, *, budget_ms: float) -> argparse.ArgumentParser:
    """The flags that every benchmark shares."""
    result = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where (default cpu)")
    result.add_argument("--threads", type=int, default=1, help="CPU threads of torch (default 1)")
    result.add_argument("--budget-ms", type=float, default=budget_ms, help=f"sampling per case (default {budget_ms:g})")
    result.add_argument("--warmup-ms", type=float, default=100.0, help="of each contender before it is timed")
    result.add_argument("--warm", action="store_true", help="leave the caches as the sample before left them")
    result.add_argument("--refcheck", action="store_true", help="compare every result with a float64 oracle first")
    result.add_argument("--out", type=Path, help="CSV to write (default: in benchmarks/results, after the card's name)")
    return result


def chosen_device(name: str) -> torch.device:
    """The device of that name; without a GPU, "cuda" ends the program with one sentence and exit code 2."""
    if name == "cuda" and not torch.cuda.is_available():
        print("no GPU that this torch can use: --device cuda measures nothing here", file=sys.stderr)
        raise SystemExit(2)
    return torch.device("cuda", torch.cuda.current_device()) if name == "cuda" else torch.device("cpu")


def default_name(benchmark: str, facts: Mapping[str, object]) -> str:
    """`ops.csv` for a CPU, `ops_nvidia-h100-80gb-hbm3.csv` for a card."""
    return f"{benchmark}.csv" if facts["device"] == "cpu" else f"{benchmark}_{slug(str(facts['hardware']))}.csv"


def _medians(samples: Sequence[Sample]) -> tuple[float, float]:
    if not samples:
        return _NAN, _NAN
    return Sample(*(statistics.median(column) for column in zip(*samples, strict=True)))


def _relative(path: Path) -> Path:
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path
