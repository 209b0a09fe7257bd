"""Does NSGA-II find a better front than chance? Hypervolumes on the MobileNetV2 space, over several seeds.

    python benchmarks/search_fronts.py

Objectives: most `wrcor`, fewest parameters, fewest multiply-adds, on photographs of `--resolution` pixels (that of the
networks, so that a CPU can score hundreds of them). Every strategy gets the same budget, images and initial weights.
Objectives are scaled to the range that all searches of a seed saw together, whose worst corner is the reference point:
a volume is the share of that box that the front of a search dominates.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from pathlib import Path

from threads import limit_threads

if __name__ == "__main__":
    limit_threads(sys.argv[1:])

import numpy as np
from bench_search import run
from pyarrow import parquet
from schema import RESULTS

from wrcor_ext.search.hypervolume import hypervolume
from wrcor_ext.search.pareto import Floats, front

STRATEGIES = ("nsga2", "random", "evolution")


def objectives(folder: Path) -> Floats:
    """[n, 3] of the candidates of a run that have a score, higher is better."""
    table = parquet.read_table(folder / "trials.parquet", columns=["wrcor", "params", "flops"])
    found: Floats = np.column_stack([table[name].to_numpy() for name in table.column_names]).astype(np.float64)
    return found[np.isfinite(found).all(axis=1)] * [1.0, -1.0, -1.0]


def main() -> None:
    """Searches, prints and writes one row per search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--candidates", type=int, default=256)
    parser.add_argument("--population-size", type=int, default=32)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS / "search_fronts.csv")
    args = parser.parse_args()

    common = ["--space", "mobilenetv2", "--maximize", "wrcor", "--minimize", "params", "flops"]
    common += ["--resolution", str(args.resolution), "--batch-size", str(args.batch_size)]
    common += ["--budget", str(args.candidates), "--workers", str(args.workers)]
    rows = []
    for seed in range(args.seeds):
        found = {}
        for strategy in args.strategies:
            own = ["--population-size", str(args.population_size)] if strategy != "random" else []
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place) / strategy
                run([*common, *own, "--strategy", strategy, "--seed", str(seed)], folder)
                found[strategy] = objectives(folder)
        seen = np.concatenate(list(found.values()))
        worst, span = seen.min(axis=0), np.ptp(seen, axis=0)
        for strategy, points in found.items():
            scaled = (points - worst) / span
            volume = hypervolume(scaled, np.zeros(3))
            size = len(front(scaled))
            print(f"seed {seed}, {strategy}: hypervolume {volume:.4f}, {size} on the front", flush=True)
            row = {"strategy": strategy, "seed": seed, "candidates": args.candidates, "resolution": args.resolution}
            rows.append(row | {"batch": args.batch_size, "hypervolume": f"{volume:.5f}", "front": size})

    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
