"""What the run folder of a long search costs: bookkeeping per candidate, and a journal of a million trials.

    python benchmarks/bench_study.py --trials 1000000 --candidates 2000

Bookkeeping is what is left of a search when its candidates cost nothing: ask, tell, journal and display of the real
loop, in a terminal that nobody sees. Then a journal is filled with that many trials, all of different architectures,
and a fresh process goes on with it (opens and checks it, and finds the best) and writes all files. Peak memory is that
of the whole process, the libraries that it has loaded included; `imports` is what they take alone.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from environment import environment
from rich.console import Console

from wrcor_ext import spaces, strategies
from wrcor_ext.search import driver
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.interruption import Interruption
from wrcor_ext.search.pools import InProcess
from wrcor_ext.search.progress import Progress
from wrcor_ext.search.study import Study
from wrcor_ext.search.timings import Timings
from wrcor_ext.search.trial import Evaluation, Trial
from wrcor_ext.spaces import Cost

SPACE = spaces.get("nasbench201")
CONFIG = SearchConfig(proxies=["wrcor", "naswot"])
FACTS = {"batch_sha256": "0" * 64}
COLUMNS = ("measure", "value", "unit", "trials", "hardware", "threads", "python", "commit")


class NoWork:
    """Evaluates in no time."""

    def cost(self, arch: tuple[str, ...]) -> Cost:
        """Always the same."""
        return Cost(10**7, 10**6, 10**5, 20)

    def evaluate(self, arch: tuple[str, ...]) -> Evaluation:
        """A number that depends on the cell."""
        value = float(hash(arch) % 1000)
        return Evaluation("ok", {"wrcor": value, "naswot": -value}, 0.0)


def bookkeeping(folder: Path, strategy: str, candidates: int) -> dict[str, float]:
    """Milliseconds per candidate by phase of the loop."""
    config = replace(CONFIG, strategy=strategy, budget=candidates)
    timings, evaluator = Timings(), NoWork()
    with Study(folder, config, FACTS) as study:
        options = {name: getattr(config, name) for name in strategies.get(strategy).options}
        chosen = strategies.create(strategy, SPACE, seed=0, preference=study.objective, **options)
        console = Console(file=io.StringIO(), force_terminal=True, width=160)
        with Progress(console, budget=candidates, done=0, standing=study.standing()) as progress:
            driver.run(
                study.journal,
                SPACE,
                chosen,
                evaluator,
                InProcess(evaluator),
                objective=study.objective,
                budget=candidates,
                group=config.group,
                progress=progress,
                interruption=Interruption(),
                timings=timings,
            )
        done = study.journal.count()
    return {name: 1e3 * seconds / done for name, seconds in timings.seconds.items() if name != "evaluate"}


def trials(count: int) -> Iterator[Trial]:
    """Trials of cells that count as different ones."""
    generator = np.random.default_rng(0)
    texts = [SPACE.format(SPACE.sample(generator)) for _ in range(5000)]
    for number in range(count):
        text, (wrcor, naswot) = texts[number % len(texts)], generator.normal(size=2).tolist()
        evaluation = Evaluation("ok", {"wrcor": wrcor, "naswot": naswot}, 0.1)
        yield Trial(number, text, f"{text} {number}", Cost(10**7 + number, 10**6, 10**5, 20), evaluation)


def resumed(folder: Path, budget: int) -> None:
    """In a process of its own: prints seconds and peak memory of going on with a run and of writing its files."""
    found = {"memory of imports": peak_megabytes()}
    start = time.perf_counter()
    with Study(folder, replace(CONFIG, budget=budget), FACTS, resume=True) as study:
        study.leaders()
        found |= {"seconds to resume": time.perf_counter() - start, "memory to resume": peak_megabytes()}
        start = time.perf_counter()
        study.export()
        found |= {"seconds to write all files": time.perf_counter() - start, "memory to write all": peak_megabytes()}
    print(json.dumps(found))


def peak_megabytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / (1024 if sys.platform == "darwin" else 1)


def main() -> None:
    """Measures, prints the table and writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1_000_000)
    parser.add_argument("--candidates", type=int, default=2000)
    parser.add_argument("--strategies", nargs="*", default=["evolution", "random"])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/study.csv"))
    parser.add_argument("--resumed", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.resumed is not None:
        resumed(args.resumed, args.trials + 1)
        return
    facts = {name: value for name, value in environment(torch.device("cpu")).items() if name in COLUMNS}
    rows: list[dict[str, object]] = []

    def add(measure: str, value: float, unit: str, count: int) -> None:
        rows.append({"measure": measure, "value": f"{value:.4g}", "unit": unit, "trials": count, **facts})
        print(f"{measure:<40} {value:>10.4g} {unit}   ({count} trials)", flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        for strategy in args.strategies:
            phases = bookkeeping(Path(temporary) / strategy, strategy, args.candidates)
            for phase, milliseconds in {**phases, "bookkeeping": sum(phases.values())}.items():
                add(f"{phase} of {strategy}", milliseconds, "ms per candidate", args.candidates)
        folder = Path(temporary) / "long"
        with Study(folder, replace(CONFIG, budget=args.trials + 1), FACTS) as study:
            study.journal.append_all(trials(args.trials))
        words = [sys.executable, __file__, "--resumed", str(folder), "--trials", str(args.trials)]
        output = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        for measure, value in json.loads(output).items():
            add(measure, value, "s" if measure.startswith("seconds") else "MB", args.trials)

    args.out.parent.mkdir(parents=True, exist_ok=True)
    with args.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
