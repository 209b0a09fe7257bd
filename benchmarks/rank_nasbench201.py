"""Does WRCor rank NAS-Bench-201? Scores random cells on real CIFAR-10 images and compares with trained accuracy.

    python benchmarks/rank_nasbench201.py --data ../shared/data --cells 500 --tail-cells 200

`--data` is a folder with `nasbench201.csv.gz` (columns `arch`, `cifar10_test200`) and `cifar10_sample.npz` (images,
labels). Every cell is scored with exact WRCor, the first `--tail-cells` of them with the tails as well. Cells whose
score is degenerate rank last. Nothing here was tuned on the accuracies: cells, images and weights follow the seed.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import kendalltau, spearmanr

import wrcor_ext
from wrcor_ext import data, spaces

SPACE = spaces.get("nasbench201")
ACCURACIES = ("cifar10_test200", "cifar100_test200", "imagenet16_120_test200")


def read_table(path: Path, cells: int, seed: int) -> list[dict[str, str]]:
    """`cells` random rows of the accuracy table."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = np.random.default_rng(seed).permutation(len(rows))[:cells]
    return [rows[i] for i in chosen]


def value(architecture: str, batch: data.Batch, seed: int, rule: str, tail: int | None) -> tuple[float, float]:
    """WRCor of one cell in the published network (16 channels, 5 cells a stage), and the processor seconds it took."""
    model = SPACE.build(SPACE.parse(architecture), num_classes=batch.num_classes, seed=seed)
    began = time.process_time()
    result = wrcor_ext.score(model, batch.images, batch.labels, rule=rule, tail=tail, seed=seed)["wrcor"]
    seconds = time.process_time() - began
    return (result.value if result.status == "ok" else -np.inf), seconds


def main() -> None:
    """Scores, compares, prints the table and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument("--tail-cells", type=int, default=200)
    parser.add_argument("--tails", type=int, nargs="*", default=[8])
    parser.add_argument("--rules", nargs="*", default=["activations"], choices=["activations", "reference"])
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/rank_nasbench201.csv"))
    args = parser.parse_args()

    torch.set_num_threads(1)
    rows = read_table(args.data / "nasbench201.csv.gz", args.cells, args.seed)
    batch = data.load(f"npz:{args.data / 'cifar10_sample.npz'}", batch_size=args.batch_size, seed=args.seed)
    table: list[dict[str, object]] = []

    for rule in args.rules:
        exact = np.array([value(row["arch"], batch, args.seed, rule, None) for row in rows])
        setting = {"cells": len(rows), "rule": rule, "batch": args.batch_size, "seed": args.seed}
        for accuracy in ACCURACIES:
            truth = [float(row[accuracy]) for row in rows]
            rho = spearmanr(exact[:, 0], truth).statistic
            table.append(setting | {"measure": f"spearman of wrcor with {accuracy}", "value": f"{rho:.4f}"})
        few = rows[: args.tail_cells]
        for tail in args.tails:
            kept = np.array([value(row["arch"], batch, args.seed, rule, tail) for row in few])
            tau = kendalltau(exact[: len(few), 0], kept[:, 0]).statistic
            ratio = kept[:, 1].sum() / exact[: len(few), 1].sum()
            short = setting | {"cells": len(few)}
            table.append(short | {"measure": f"kendall tau of tail={tail} with exact", "value": f"{tau:.4f}"})
            table.append(short | {"measure": f"processor time of tail={tail} over exact", "value": f"{ratio:.3f}"})

    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["measure", "value", "cells", "rule", "batch", "seed"])
        writer.writeheader()
        writer.writerows(table)
    for line in table:
        print(f"{line['measure']:<50} {line['value']}   ({line['cells']} cells, rule={line['rule']})")


if __name__ == "__main__":
    main()
