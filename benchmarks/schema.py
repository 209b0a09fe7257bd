"""The one results schema: a row is one contender of one case on one machine, and a CSV holds rows.

A figure that was not measured is NaN here and an empty cell in the file: never an estimate.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Result:
    """One contender of one case: a row of the CSV.

    Attributes:
        benchmark: which script wrote it: "ops" or "score".
        case: what was done, and to what.
        shape: of the input: "64x131072"; "8x64x4096" for a group or batch of eight.
        dtype: element type of the input.
        device: "cpu" or "cuda".
        hardware: name of the processor or of the card.
        backend: who did it: "native", "cupy", "torch", "torch.compile", "numpy", ... or the name of a score or stage.
        baseline: the backend that `ratio` refers to: the first of the case.
        cache: "cold" (evicted before every sample) or "warm".
        seconds: median over the samples; on a GPU by CUDA events.
        seconds_min: fastest sample.
        seconds_max: slowest sample.
        cpu_seconds: median processor time of the calling thread; only on "cpu".
        samples: how many.
        ratio: `seconds` over those of the baseline.
        cpu_ratio: the same of `cpu_seconds`: on a machine that others use as well the better figure.
        gb_per_s: bytes of the input, read once, over `seconds`.
        gflop_per_s: useful operations over `seconds`.
        share_of_copy: `gb_per_s` over the bandwidth of a large `Tensor.copy_` (read and written) in the same run.
        error: largest deviation from the float64 numpy oracle over its largest entry.
        threads: of torch and numpy.
        instruction_set: of the native kernels on "cpu", "sm_90" and the like on "cuda".
        wrcor_ext, torch, numpy, cupy, cuda, python: versions; empty where absent.
        commit: of the sources, with "+" where they were changed since; empty outside a git checkout.
    """

    benchmark: str
    case: str
    shape: str
    dtype: str
    device: str
    hardware: str
    backend: str
    baseline: str
    cache: str
    seconds: float
    seconds_min: float
    seconds_max: float
    cpu_seconds: float
    samples: int
    ratio: float
    cpu_ratio: float
    gb_per_s: float
    gflop_per_s: float
    share_of_copy: float
    error: float
    threads: int
    instruction_set: str
    wrcor_ext: str
    torch: str
    numpy: str
    cupy: str
    cuda: str
    python: str
    commit: str


_KINDS = {field.name: str(field.type) for field in fields(Result)}


def write_csv(path: Path, rows: Sequence[Result]) -> None:
    """Writes one line per row under the shared header, figures to five digits, what is not known as nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(_KINDS))
        writer.writeheader()
        writer.writerows({name: _written(value) for name, value in asdict(row).items()} for row in rows)


def read_csv(path: Path) -> list[Result]:
    """The rows of a file of `write_csv`.

    Raises:
        ValueError: for a file with other columns: one of another version, or no results at all.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if list(reader.fieldnames or ()) != list(_KINDS):
            raise ValueError(f"{path.name} does not have the columns of benchmarks/schema.py: measure again")
        return [Result(**{name: _read(name, text) for name, text in line.items()}) for line in reader]


def _written(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.5g}"
    return value


def _read(name: str, text: str) -> str | int | float:
    if _KINDS[name] == "float":
        return float(text) if text else math.nan
    return int(text) if _KINDS[name] == "int" else text
