"""Whole searches: what a candidate costs against a training step, what workers bring, what known candidates take.

    python benchmarks/bench_search.py --data ../shared/data

Three measurements, all of the search command itself, in fresh folders that are removed afterwards:

    step      evolution with `sjw` over `--candidates` NAS-Bench-201 cells, one worker, one thread, on real CIFAR-10
              images (`cifar10_sample.npz` in `--data`), exact and with `--tail 8`. The wall time of the whole command,
              loading, building, journal and report included, over the number of candidates; beside it the mean time of
              a plain training step of the same networks, run in turn with the search (see training_steps.py).
    workers   the same search with one and with two workers, `--worker-candidates` each, start of the processes included
    known     the first search again in another folder, with its score cache: no network is built

Candidates that are isomorphic to earlier ones cost nothing, which is part of what a search is; `distinct` says how many
were scored, and `ratio_distinct` is the ratio per scored candidate, as if there had been none.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from threads import limit_threads

if __name__ == "__main__":
    limit_threads(sys.argv[1:])

import torch
from environment import environment
from schema import RESULTS
from training_steps import TrainingSteps

from wrcor_ext import search

STEP_TIMER = "training_steps:TrainingSteps"
MEASUREMENTS = ("step", "workers", "known")
Row = dict[str, Any]


def run(arguments: Sequence[str], folder: Path) -> tuple[float, dict[str, Any]]:
    """Wall time of the search command in a fresh folder, and the facts that it prints.

    Raises:
        RuntimeError: if it fails.
    """
    printed = io.StringIO()
    began = time.perf_counter()
    with contextlib.redirect_stdout(printed):
        code = search.main([*arguments, "--out", str(folder), "--json"])
    seconds = time.perf_counter() - began
    if code:
        raise RuntimeError(f"search {' '.join(arguments)} ended with exit code {code}")
    return seconds, json.loads(printed.getvalue())


def against_training_steps(common: Sequence[str], candidates: int, tail: str, folder: Path) -> Row:
    """Seconds per candidate of a search, over those of a training step of the same networks."""
    options = ["--budget", str(candidates), "--workers", "1", "--tail", tail, "--callback", STEP_TIMER]
    seconds, _ = run([*common, *options], folder)
    timer = TrainingSteps.latest
    seconds -= timer.own_seconds
    return {
        "measurement": "step",
        "what": f"sjw, tail {tail}",
        "candidates": candidates,
        "distinct": timer.distinct,
        "seconds_each": seconds / candidates,
        "reference": "training step",
        "reference_seconds_each": timer.mean_step,
        "ratio": seconds / candidates / timer.mean_step,
        "ratio_distinct": seconds / timer.distinct / timer.mean_step,
    }


def with_two_workers(common: Sequence[str], candidates: int, folder: Path) -> Row:
    """Seconds per candidate with two workers, over those with one; the results have to be the same.

    Raises:
        RuntimeError: if they are not.
    """
    options = [*common, "--budget", str(candidates)]
    one, facts_of_one = run([*options, "--workers", "1"], folder / "one")
    two, facts_of_two = run([*options, "--workers", "2"], folder / "two")
    if facts_of_one["fingerprint"] != facts_of_two["fingerprint"]:
        raise RuntimeError("two workers found something else than one")
    return {
        "measurement": "workers",
        "what": "two workers",
        "candidates": candidates,
        "seconds_each": two / candidates,
        "reference": "one worker",
        "reference_seconds_each": one / candidates,
        "ratio": two / one,
    }


def known_before(common: Sequence[str], candidates: int, folder: Path) -> Row:
    """Seconds per candidate of a search whose candidates are all in the score cache, over those of the first search."""
    options = [*common, "--budget", str(candidates), "--workers", "1", "--cache", str(folder / "cache")]
    first, _ = run(options, folder / "first")
    again, _ = run(options, folder / "again")
    return {
        "measurement": "known",
        "what": "all in the cache",
        "candidates": candidates,
        "seconds_each": again / candidates,
        "reference": "none in the cache",
        "reference_seconds_each": first / candidates,
        "ratio": again / first,
    }


def main() -> None:
    """Measures, prints, writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=MEASUREMENTS)
    parser.add_argument("--tails", nargs="+", default=["none", "8"])
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--worker-candidates", type=int, default=200)
    parser.add_argument("--known-candidates", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "search.csv")
    args = parser.parse_args()

    common = ["--space", "nasbench201", "--strategy", "evolution", "--proxies", "sjw"]
    common += ["--dataset", f"npz:{args.data / 'cifar10_sample.npz'}", "--batch-size", str(args.batch_size)]
    common += ["--threads", str(args.threads), "--seed", str(args.seed)]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = []
        if "step" in args.only:
            rows += [against_training_steps(common, args.candidates, tail, folder / tail) for tail in args.tails]
        if "workers" in args.only:
            rows.append(with_two_workers(common, args.worker_candidates, folder))
        if "known" in args.only:
            rows.append(known_before(common, args.known_candidates, folder))
    for row in rows:
        shown = f"{row['what']}: {row['seconds_each'] * 1e3:.2f} ms each, {row['ratio']:.3f}x of {row['reference']}"
        print(shown + (f" ({row['distinct']} distinct)" if "distinct" in row else ""))
    machine = environment(torch.device("cpu")) | {"batch": args.batch_size, "seed": args.seed}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row | machine)))
        writer.writeheader()
        writer.writerows({name: _written(value) for name, value in (row | machine).items()} for row in rows)


def _written(value: object) -> object:
    return f"{value:.5g}" if isinstance(value, float) else value


if __name__ == "__main__":
    main()
