"""What searches find: trained accuracy of the winners on NAS-Bench-201, looked up, over several seeds.

    python benchmarks/search_nasbench201.py --data ../shared/data

`--data` is a folder with `nasbench201.csv.gz` (columns `arch`, `cifar10_test200`, ...) and `cifar10_sample.npz`. Each
strategy searches with `sjw` on real CIFAR-10 images, once per seed; the seed draws images, weights and proposals. The
accuracy is that of the one candidate that the search calls the best: no accuracy is looked at before. The best of the
whole table is printed beside it.

Strategies of one seed share a score cache: what one has scored, the others look up. Times are not measured here.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import statistics
import sys
import tempfile
from pathlib import Path

from threads import limit_threads

if __name__ == "__main__":
    limit_threads(sys.argv[1:])

from bench_search import run
from schema import RESULTS

STRATEGIES = ("evolution", "random", "reinforce")
ACCURACIES = ("cifar10_test200", "cifar100_test200", "imagenet16_120_test200")


def table(path: Path) -> dict[str, dict[str, float]]:
    """Accuracies in percent by architecture and data set."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return {row["arch"]: {name: float(row[name]) for name in ACCURACIES} for row in csv.DictReader(file)}


def main() -> None:
    """Searches, looks up, prints and writes one row per search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--strategies", nargs="+", default=STRATEGIES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--objective", default="sjw")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="score cache to keep: an interrupted measurement goes on from it")
    parser.add_argument("--out", type=Path, default=RESULTS / "search_nasbench201.csv")
    args = parser.parse_args()

    truth = table(args.data / "nasbench201.csv.gz")
    common = ["--space", "nasbench201", "--proxies", args.objective, "--budget", str(args.candidates)]
    common += ["--dataset", f"npz:{args.data / 'cifar10_sample.npz'}", "--batch-size", str(args.batch_size)]
    rows = []
    for seed in range(args.seeds):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            cache = args.cache or folder / "cache"
            options = [*common, "--workers", str(args.workers), "--cache", str(cache), "--seed", str(seed)]
            for strategy in args.strategies:
                _, facts = run([*options, "--strategy", strategy], folder / strategy)
                best = facts["best"][0]["architecture"]
                row = {"strategy": strategy, "objective": args.objective, "candidates": args.candidates, "seed": seed}
                rows.append(row | {"architecture": best} | {name: f"{truth[best][name]:.2f}" for name in ACCURACIES})
                print(f"{strategy}, seed {seed}: {best}, {truth[best]['cifar10_test200']:.2f} %", flush=True)

    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    for name in ACCURACIES:
        print(f"{name}: best of all {max(row[name] for row in truth.values()):.2f}")
        for strategy in args.strategies:
            found = [float(row[name]) for row in rows if row["strategy"] == strategy]
            spread = statistics.stdev(found) if len(found) > 1 else float("nan")
            print(f"    {strategy:<12} {statistics.mean(found):.2f} +- {spread:.2f} over {len(found)} seeds")


if __name__ == "__main__":
    main()
