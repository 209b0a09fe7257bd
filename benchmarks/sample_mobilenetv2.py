"""How many MobileNetV2 candidates a second are drawn, and mutated, within limits?

    python benchmarks/sample_mobilenetv2.py --flops 600e6

One thread. Prints wall-clock time; on a machine that others use as well, the time of the process itself is the better
figure. As a check, every candidate's cost is taken once more and compared with the limits, outside the measurement.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from wrcor_ext import spaces
from wrcor_ext.spaces.mobilenetv2 import MobileNetV2


def measure(what: str, step: Callable[[Any], Any], inputs: list[Any]) -> list[Any]:
    """Applies `step` to all inputs and prints how fast."""
    began = time.perf_counter(), time.process_time()
    results = [step(value) for value in inputs]
    wall, own = time.perf_counter() - began[0], time.process_time() - began[1]
    print(f"{what:<10} {len(inputs) / wall:9.0f} a second, {len(inputs) / own:9.0f} a second of the process's own time")
    return results


def main() -> None:
    """Draws, mutates, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flops", type=float, default=600e6)
    parser.add_argument("--params", type=float)
    parser.add_argument("--memory", type=float, help="peak bytes of activations")
    parser.add_argument("--layers", type=float)
    parser.add_argument("--candidates", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    space, rng = MobileNetV2(), np.random.default_rng(args.seed)
    limits = spaces.Limits(flops=args.flops, params=args.params, memory=args.memory, layers=args.layers)
    space.sample(rng, limits=limits)  # warm-up
    found = measure("sampled", lambda _: space.sample(rng, limits=limits), [None] * args.candidates)
    found += measure("mutated", lambda arch: space.mutate(arch, rng, limits=limits), found)
    costs = measure("counted", space.cost, found)
    if not all(map(limits.admits, costs)):
        raise SystemExit("a candidate is outside the limits")
    print(f"all within {limits}; {len(set(found))} of {len(found)} different")


if __name__ == "__main__":
    main()
