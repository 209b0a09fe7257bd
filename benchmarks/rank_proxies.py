"""Do proxies rank NAS-Bench-201, and as published ones do? Scores random cells on real CIFAR-10 images.

    python benchmarks/rank_proxies.py --proxies params zico meco --cells 60
    python benchmarks/rank_proxies.py --proxies params flops zen --published 200

The first form gives the Spearman correlation of each proxy with trained accuracy, the second that with the values of
NAS-Bench-Suite-Zero, of the proxies that are in its table. `--data` is a folder with `nasbench201.csv.gz`,
`nasbench201_zc.csv.gz` and `cifar10_sample.npz`. Lower-is-better proxies count with their sign turned; cells without a
value rank last. Nothing was tuned on these tables: cells, images and weights follow the seed.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from rank_nasbench201 import ACCURACIES, SPACE, read_table
from scipy.stats import spearmanr

import wrcor_ext
from wrcor_ext import data, proxies

# The columns of NAS-Bench-Suite-Zero's table by our names.
PUBLISHED = {
    "params": "params",
    "flops": "flops",
    "naswot": "nwot",
    "jacob_cor": "jacov",
    "snip": "snip",
    "synflow": "synflow",
    "zen": "zen",
    "l2_norm": "l2_norm",
    "grad_norm": "grad_norm",
    "grasp": "grasp",
    "fisher": "fisher",
    "plain": "plain",
    "epe_score": "epe_nas",
}
FIELDS = ["measure", "value", "cells", "without_value", "distinct", "rule", "batch", "seed"]


def values(
    rows: Sequence[dict[str, str]], names: Sequence[str], batch: data.Batch, seed: int, rule: str
) -> dict[str, list[float]]:
    """Per proxy its value for each cell, in the published network with weights of that seed."""
    found: dict[str, list[float]] = {name: [] for name in names}
    began = time.monotonic()
    for i, row in enumerate(rows):
        model = SPACE.build(SPACE.parse(row["arch"]), num_classes=batch.num_classes, seed=seed)
        scores = wrcor_ext.score(model, batch.images, batch.labels, proxies=names, rule=rule, seed=seed)
        for name in names:
            sign = 1 if proxies.get(name).higher_is_better else -1
            found[name].append(sign * scores[name].value if scores[name].status == "ok" else -np.inf)
        print(f"\r{i + 1} of {len(rows)} cells, {time.monotonic() - began:.0f} s", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def main() -> None:
    """Scores, compares, prints the table and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxies", nargs="+", default=list(proxies.names()))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cells", type=int, default=60)
    parser.add_argument("--published", type=int, default=0, metavar="CELLS", help="compare with published values")
    parser.add_argument("--rule", default="activations", choices=["activations", "reference"])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--append", action="store_true", help="add to --out what this run finds")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/rank_proxies.csv"))
    args = parser.parse_args()

    torch.set_num_threads(1)
    names = [proxies.get(name).name for name in args.proxies]
    if args.published:
        names = [name for name in names if name in PUBLISHED]
        rows = read_table(args.data / "nasbench201_zc.csv.gz", args.published, args.seed)
        truths = {name: {f"published {PUBLISHED[name]}": f"cifar10_{PUBLISHED[name]}"} for name in names}
    else:
        rows = read_table(args.data / "nasbench201.csv.gz", args.cells, args.seed)
        truths = {name: {column: column for column in ACCURACIES} for name in names}
    batch = data.load(f"npz:{args.data / 'cifar10_sample.npz'}", batch_size=args.batch_size, seed=args.seed)
    found = values(rows, names, batch, args.seed, args.rule)

    table = []
    for name, of in found.items():
        for words, column in truths[name].items():
            truth = [float(row[column]) for row in rows]
            # A proxy that is the same for all cells has no rank correlation.
            rho = f"{spearmanr(of, truth).statistic:.4f}" if len(set(of)) > 1 else ""
            without = sum(not np.isfinite(v) for v in of)
            row = [f"spearman of {name} with {words}", rho, len(of), without, len(set(of))]
            table.append(dict(zip(FIELDS, [*row, args.rule, args.batch_size, args.seed], strict=True)))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("a" if args.append else "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=FIELDS)
        if file.tell() == 0:
            writer.writeheader()
        writer.writerows(table)
    for line in table:
        print(f"{line['measure']:<60} {line['value'] or 'none':>8}   ({line['without_value']} cells without a value)")


if __name__ == "__main__":
    main()
