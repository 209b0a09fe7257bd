"""Whole scores against a training step of the same network, and where their time goes.

    python benchmarks/bench_score.py --refcheck
    python benchmarks/bench_score.py --refcheck --device cuda --networks nasbench201 nasbench101 mobilenetv2

Networks: NAS-Bench-201 with a convolution on every edge (16 channels, 5 cells a stage), and where asked for a cell of
NAS-Bench-101 and a network of the MobileNetV2 space, drawn from a seed. Random images, float32.

Two yardsticks. `training step`, the first contender, is forward, loss and backward into all parameters, images in NCHW
as training scripts have them. `forward + input gradient` is the least that a score of gradient responses needs: the
same network as the scorer runs it (channels_last on a CPU, no parameter gradients), backward to the images.
`numpy on the host` records the same responses with the same hooks, and hands each to `numpy.corrcoef` on the host as it
comes, as published implementations do; on a GPU that waits for the device and copies every response.

Stages are found by adding one at a time to a pass, all in the same rounds, and subtracting medians:

    forward      inference: no autograd graph
    backward     `forward + input gradient`, less that: building the graph is part of it
    hooks        the recorded pass into a sink that does nothing, less the pass without hooks
    correlation  the recorded pass into the real sums, less the one into nothing
    log-det      the log-determinant of the sums, with the copy of the value to the host; timed by itself
    rest         `wrcor`, less all of these: checking the input, seeding, keeping and restoring the model

On a GPU the times are those between two CUDA events: gaps in which the device waits for the host count, as they do for
whoever waits for the score. `hooks` can come out negative, and is not hidden then: the yardstick goes back to the
images, a score only to the first response. So can any stage that is smaller than the noise.
`sjw` is what that vote asks of each candidate: synflow, jacob_cor and wrcor.
`import` is the time of `from wrcor_ext import score` after `import torch`, in fresh processes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from threads import limit_threads

if __name__ == "__main__":
    limit_threads(sys.argv[1:])

import network_passes
import networks
from driver import Case, Contender, Session, parser
from networks import Network
from schema import Result
from table import show
from timing import Sample

import wrcor_ext
from wrcor_ext import votes

TRAINING, FORWARD, BARE = "training step", "forward", "forward + input gradient"
NOTHING, SUMS, LOGDET, WHOLE = "pass, hooks only", "pass, summed", "log-det", "wrcor"
# (stage, what holds it, what is taken off)
STAGES = (
    ("forward", FORWARD, None),
    ("backward", BARE, FORWARD),
    ("hooks", NOTHING, BARE),
    ("correlation", SUMS, NOTHING),
    ("log-det", LOGDET, None),
)
# Score options by contender.
SCORES: dict[str, dict[str, object]] = {
    WHOLE: {},
    "wrcor tail=8": {"tail": 8},
    "wrcor tail=auto": {"tail": "auto"},
    "wrcor reference rule": {"rule": "reference"},
    "acor": {"proxies": ("acor",)},
    "naswot": {"proxies": ("naswot",)},
    "sjw": {"proxies": votes.members(("sjw",))},
    "sjw tail=8": {"proxies": votes.members(("sjw",)), "tail": 8},
}
# Half precision pays where there are tensor cores.
GPU_SCORES: dict[str, dict[str, object]] = {"wrcor amp=bfloat16": {"amp": "bfloat16"}}
# Of the score. Oracle and score are two passes, which on a GPU need not be the same bits, of a float32 network.
_TOLERANCE = 2e-6

_IMPORT = (
    "import time, torch; wall, cpu = time.perf_counter(), time.thread_time(); from wrcor_ext import score; "
    "print(time.perf_counter() - wall, time.thread_time() - cpu)"
)


def measure(session: Session, network: Network) -> None:
    """All contenders of one network, then the stages that follow from them."""
    case = Case(network.name, "x".join(map(str, network.images.shape)), "float32", tolerance=_TOLERANCE)
    k = network_passes.kernel_matrix(network)
    contenders = {
        TRAINING: Contender(lambda: network_passes.training_step(network)),
        FORWARD: Contender(lambda: network_passes.inference(network)),
        BARE: Contender(lambda: network_passes.input_gradient(network)),
        NOTHING: Contender(lambda: network_passes.recorded(network, network_passes.Nothing())),
        SUMS: Contender(lambda: network_passes.summed(network)),
        LOGDET: Contender(lambda: network_passes.log_det(k)),
    }
    for name, options in (SCORES | (GPU_SCORES if session.device.type == "cuda" else {})).items():
        contenders[name] = Contender(_scoring(network, options), _error(network, options))
    contenders["numpy on the host"] = Contender(lambda: network_passes.score_on_host(network))
    rows = session.compare(case, contenders)
    seconds = {row.backend: row.seconds for row in rows}
    session.console.print(f"wrcor over {BARE}: {seconds[WHOLE] / seconds[BARE]:.2f}x", highlight=False)
    staged = stages(rows)
    show(session.console, staged)
    session.rows += staged


def stages(rows: Sequence[Result]) -> list[Result]:
    """The stages of `wrcor` as rows, from differences of medians; ratios are to the whole."""
    by_name = {row.backend: row for row in rows}
    whole = by_name[WHOLE]
    seconds, cpu_seconds = {}, {}
    for stage, holding, without in STAGES:
        off = by_name[without] if without else None
        seconds[stage] = by_name[holding].seconds - (off.seconds if off else 0.0)
        cpu_seconds[stage] = by_name[holding].cpu_seconds - (off.cpu_seconds if off else 0.0)
    seconds["rest"] = whole.seconds - sum(seconds.values())
    cpu_seconds["rest"] = whole.cpu_seconds - sum(cpu_seconds.values())
    nothing = float("nan")
    return [
        replace(
            whole,
            case=f"{whole.case}, stages",
            backend=stage,
            baseline=WHOLE,
            seconds=seconds[stage],
            seconds_min=nothing,
            seconds_max=nothing,
            cpu_seconds=cpu_seconds[stage],
            ratio=seconds[stage] / whole.seconds,
            cpu_ratio=cpu_seconds[stage] / whole.cpu_seconds,
            error=nothing,
        )
        for stage in seconds
    ]


def _scoring(network: Network, options: dict[str, object]) -> Callable[[], float]:
    def score() -> float:
        results = wrcor_ext.score(network.model, network.images, network.labels, **options)  # type: ignore[arg-type]
        return sum(result.value for result in results.values())

    return score


def _error(network: Network, options: dict[str, object]) -> Callable[[], float] | None:
    """The score against numpy's from the same responses; None for what the oracle does not know."""
    known = {"tail", "rule"}
    if not options.keys() <= known or options.get("tail") == "auto":
        return None
    score = _scoring(network, options)

    def error() -> float:
        expected = network_passes.score_on_host(network, **options)  # type: ignore[arg-type]
        return abs(score() - expected) / abs(expected)

    return error


def measure_import(session: Session, samples: int = 7) -> None:
    """Seconds of the import, in fresh processes, as one more row."""
    runs = []
    for _ in range(samples):
        out = subprocess.run([sys.executable, "-c", _IMPORT], check=True, capture_output=True, text=True).stdout
        runs.append(Sample(*map(float, out.split())))
    row = session.row(Case("from wrcor_ext import score, after torch", "", ""), "import", runs, "import", runs)
    show(session.console, [row])
    session.rows.append(row)


def main() -> int:
    """Runs all networks, prints their tables and writes the CSV; the exit code."""
    arguments = parser(__doc__, budget_ms=20_000.0)  # a round takes seconds
    arguments.add_argument("--networks", nargs="+", choices=list(networks.BUILDERS), default=["nasbench201"])
    arguments.add_argument("--batch", type=int, default=64, help="images (default 64)")
    args = arguments.parse_args()
    session = Session("score", args)
    for name in args.networks:
        measure(session, networks.network(name, args.batch, session.device))
    measure_import(session)
    return session.finish()


if __name__ == "__main__":
    sys.exit(main())
