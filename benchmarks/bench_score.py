"""Whole scores against one plain training step of the same network, and where their time goes.

    python benchmarks/bench_score.py --refcheck

The network is NAS-Bench-201 with a convolution on every edge (16 channels, 5 cells a stage), batch 64, 32 x 32 pixels,
float32. The first contender is the yardstick: forward, loss and backward into all parameters, images in NCHW as
training scripts have them. Stages: `forward` is inference alone, `forward + input gradient` the least that a score of
gradient responses needs, both as the scorer runs them (channels_last, parameters without gradients); what a score takes
beyond that is correlation, recording and restoring the model. `import` is the time of `from wrcor_ext import
score` after `import torch`, in fresh processes.
"""

from __future__ import annotations

import subprocess
import sys

import torch
import torch.nn.functional as F
from driver import Result, compare, environment, parser, show, write_csv
from torch import Tensor, nn

import wrcor_ext
from wrcor_ext import response_sums, spaces
from wrcor_ext.ops import reference

BATCH, SIZE, CLASSES = 64, 32, 10
CELL = ("nor_conv_3x3",) * 6

_IMPORT = (
    "import time, torch; wall, cpu = time.perf_counter(), time.process_time(); from wrcor_ext import score; "
    "print(time.perf_counter() - wall, time.process_time() - cpu)"
)


def main() -> None:
    """Runs all contenders, prints the table and writes it."""
    args = parser(__doc__, "score.csv").parse_args()
    torch.set_num_threads(args.threads)
    model = spaces.get("nasbench201").build(CELL, num_classes=CLASSES, seed=0)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 3, SIZE, SIZE, generator=generator)
    labels = torch.arange(BATCH) % CLASSES
    frozen = spaces.get("nasbench201").build(CELL, num_classes=CLASSES, seed=0).requires_grad_(False)
    last = images.contiguous(memory_format=torch.channels_last)

    def score(**options: object) -> float:
        return wrcor_ext.score(model, images, labels, **options)["wrcor"].value  # type: ignore[arg-type]

    contenders = {
        "training step": lambda: training_step(model, images, labels),
        "forward": lambda: inference(frozen, last),
        "forward + input gradient": lambda: input_gradient(frozen, last, labels),
        "wrcor": score,
        "wrcor tail=8": lambda: score(tail=8),
        "wrcor tail=auto": lambda: score(tail="auto"),
        "wrcor reference rule": lambda: score(rule="reference"),
    }
    errors = refcheck(model, images, labels) if args.refcheck else {}
    rows = compare(
        "score",
        "nasbench201 all-conv",
        contenders,
        dtype="float32",
        shape=images.shape,
        cold=args.cold,
        budget_ms=max(args.budget_ms, 20_000.0),  # a round takes several seconds
        errors=errors,
    )
    show(rows)
    rows.append(import_time())
    imported = rows[-1]
    print(f"\nfrom wrcor_ext import score after torch: {imported.wall_ms:.0f} ms wall, {imported.cpu_ms:.0f} ms cpu")
    write_csv(args.out, rows)


def training_step(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Forward, loss and backward into the parameters."""
    model.train()
    F.cross_entropy(model(images), labels).backward()
    model.zero_grad(set_to_none=True)


def inference(model: nn.Module, images: Tensor) -> None:
    """The forward alone, batch-norms with batch statistics."""
    with torch.no_grad():
        model.train()(images)


def input_gradient(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """The forward, and the backward through all activations to the images."""
    entry = images.detach().requires_grad_()
    torch.autograd.grad(F.cross_entropy(model.train()(entry), labels), [entry])


def refcheck(model: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Absolute difference of each score from the same score of the network in float64 with the pure-torch ops."""
    native = dict(response_sums._ACCUMULATE)
    names = {"wrcor": {}, "wrcor tail=8": {"tail": 8}, "wrcor reference rule": {"rule": "reference"}}
    found = {name: wrcor_ext.score(model, images, labels, **o)["wrcor"].value for name, o in names.items()}
    double = spaces.get("nasbench201").build(CELL, num_classes=CLASSES, seed=0).double()
    try:
        response_sums._ACCUMULATE["correlation"] = reference.accumulate_correlation
        truth = {
            name: wrcor_ext.score(double, images.double(), labels, **o)["wrcor"].value for name, o in names.items()
        }
    finally:
        response_sums._ACCUMULATE.update(native)
    return {name: abs(found[name] - truth[name]) for name in names}


def import_time(samples: int = 7) -> Result:
    """Median seconds of the import, in fresh processes, as a row of the table."""
    runs = []
    for _ in range(samples):
        out = subprocess.run([sys.executable, "-c", _IMPORT], check=True, capture_output=True, text=True).stdout
        runs.append([float(part) * 1e3 for part in out.split()])
    wall, cpu = (sorted(column)[samples // 2] for column in zip(*runs, strict=True))
    nothing = float("nan")
    return Result(
        "import", "from wrcor_ext import score after torch", "wrcor_ext", "", "", "warm", wall, cpu, samples, 1.0, 1.0,
        nothing, nothing, nothing, **environment(),
    )  # fmt: skip


if __name__ == "__main__":
    main()
