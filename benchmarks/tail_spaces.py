"""Does `tail` rank the networks of a space as the exact score does?

    python benchmarks/tail_spaces.py --space nasbench101 --options stem_width=16
    python benchmarks/tail_spaces.py --space mobilenetv2 --options resolution=64 --image-size 64 --batch-size 16

Scores random architectures with exact WRCor and with tails on the same weights and images, and prints Kendall's tau
between the rankings and the time that each tail takes. Small widths and images are for time: the levels, and so
what the tail leaves out, are those of the full network.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from scipy.stats import kendalltau

import wrcor_ext
from wrcor_ext import data, spaces


def option(text: str) -> tuple[str, int]:
    """`name=number` of the command line."""
    name, _, number = text.partition("=")
    return name, int(number)


def kept_levels(text: str) -> int | str:
    """`auto` or a number of levels."""
    return text if text == "auto" else int(text)


def main() -> None:
    """Scores, compares, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", default="nasbench101", choices=spaces.names())
    parser.add_argument("--options", nargs="*", type=option, default=[], metavar="NAME=NUMBER", help="of the space")
    parser.add_argument("--tails", nargs="*", type=kept_levels, default=["auto"], metavar="auto|LEVELS")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--data", default="photos", help="images, as `wrcor search --dataset` takes them")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.set_num_threads(1)
    space = spaces.get(args.space, **dict(args.options))
    batch = data.load(args.data, batch_size=args.batch_size, image_size=args.image_size, seed=args.seed)
    rng = np.random.default_rng(args.seed)
    tails = [None, *args.tails]
    values: dict[int | str | None, list[float]] = {tail: [] for tail in tails}
    kept: dict[int | str | None, list[int]] = {tail: [] for tail in tails}
    seconds = dict.fromkeys(tails, 0.0)
    for number in range(args.samples):
        model = space.build(space.sample(rng), num_classes=batch.num_classes, seed=number)
        for tail in tails:
            began = time.perf_counter()
            result = wrcor_ext.score(model, batch.images, batch.labels, tail=tail)["wrcor"]
            seconds[tail] += time.perf_counter() - began
            values[tail].append(result.value if result.status == "ok" else -np.inf)
            kept[tail].append(int(result.detail["levels"]) - int(result.detail["first_level"]))
    print(f"{args.samples} architectures of {args.space}, Kendall tau with exact:")
    for tail in args.tails:
        tau = kendalltau(values[None], values[tail]).statistic
        levels, share = f"{min(kept[tail])} to {max(kept[tail])} levels", seconds[tail] / seconds[None]
        print(f"tail={tail}: {tau:.4f}, {levels} kept, {share:.2f} of the time of exact")


if __name__ == "__main__":
    main()
