"""Times the ops: native kernels against their torch twins, plain torch, torch.compile and numpy, on a CPU or a GPU.

    python benchmarks/bench_ops.py --refcheck                    # one thread of this CPU
    python benchmarks/bench_ops.py --refcheck --device cuda      # the current GPU; numpy stays on the host

Shapes: the fixed ones below, and those that networks drawn from the three search spaces hand over (`shapes.py`), at
batch 64. The first contender of each case is what the package answers with, so a ratio of 8 means that it is 8 times
faster. GFLOP/s count N (N + 1) D useful operations for every contender of a correlation, 2/3 N^3 a log-determinant.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from threads import limit_threads

if __name__ == "__main__":
    limit_threads(sys.argv[1:])

import contenders
import shapes
import torch
from driver import Case, Contender, Session, parser
from torch import Tensor

# (rows, features): the target shape, other batch sizes, an odd size whose rows are not aligned.
SHAPES = ((64, 131072), (16, 65536), (128, 65536), (512, 16384), (64, 100003))
OTHER_DTYPES = (torch.float64, torch.float16, torch.bfloat16)
# (matrices, rows): one score, a population of them, and every size.
BATCHES = ((1, 64), (64, 64), (1024, 64), (4096, 64), (1, 16), (1, 128), (1, 512))
# (responses, rows, features) of a grouped call: those of the last levels of NAS-Bench-201 networks.
GROUPS = ((8, 64, 4096), (32, 64, 4096))
# Bytes of the largest response that is taken from a space: the oracle and numpy work on a float64 copy of it.
LARGEST = {"cpu": 2**28, "cuda": 2**29}
SAMPLES = 4

# Of an entry of C or K over the largest one; the kernels promise 2e-6 for everything that is computed in float32.
_TOLERANCE = {torch.float64: 1e-12}
_FLOAT32_TOLERANCE = 2e-6
_SLOGDET_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Work:
    """A case whose input and contenders are made when its turn comes."""

    op: str
    where: str
    shape: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    channels_last: bool = False
    yardstick: bool = False

    @property
    def name(self) -> str:
        """The op, and where the shape is from."""
        return f"{self.op}, {self.where}" if self.where else self.op


def all_work(device: torch.device) -> Iterator[Work]:
    """Every case, in the order of the table."""
    for shape in SHAPES:
        yield Work("response_correlation", "", shape, yardstick=shape == SHAPES[0])
    for dtype in OTHER_DTYPES:
        yield Work("response_correlation", "", SHAPES[0], dtype)
    yield Work("response_correlation", "channels_last", (64, 16, 32, 32), channels_last=True)
    for space in shapes.IMAGE_SIZES:
        counted = shapes.features_of_space(space, SAMPLES)
        for features in shapes.representative(counted, LARGEST[device.type] // (4 * shapes.BATCH)):
            yield Work("accumulate_correlation", space, (shapes.BATCH, features))
    for group in GROUPS:
        yield Work("accumulate_correlation_group", "", group)
    for features in (131072, 16384):
        yield Work("accumulate_hamming", "", (64, features))
    for batch, n in BATCHES:
        yield Work("slogdet", "", (batch, n, n), torch.float64)


def measure(session: Session, work: Work) -> None:
    """Makes the input of a case, from a seed of its own, and compares its contenders."""
    generator = torch.Generator().manual_seed(0)
    shape = "x".join(map(str, work.shape))
    dtype = str(work.dtype).removeprefix("torch.")
    if work.op == "slogdet":
        batch, n, _ = work.shape
        k = _kernel_matrices(batch, n, generator).to(session.device)
        case = Case(work.name, shape, dtype, k.numel() * 8.0, batch * 2 / 3 * n**3, _SLOGDET_TOLERANCE)
        session.compare(case, contenders.slogdet(k))
        return
    x = torch.randn(work.shape, generator=generator).to(session.device, work.dtype)
    if work.channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    grouped = work.op == "accumulate_correlation_group"
    n, features = (x.shape[1], x[:, 0].numel()) if grouped else (x.shape[0], x[0].numel())
    flops = float("nan") if work.op == "accumulate_hamming" else float(n * (n + 1) * features)
    tolerance = _TOLERANCE.get(work.dtype, _FLOAT32_TOLERANCE)
    case = Case(work.name, shape, dtype, float(x.numel() * x.element_size()), flops, tolerance)
    options = {"yardstick": True} if work.yardstick else {}
    found: dict[str, Contender] = getattr(contenders, work.op)(list(x) if grouped else x, **options)
    session.compare(case, found)


def _kernel_matrices(batch: int, n: int, generator: torch.Generator) -> Tensor:
    """[batch, n, n] float64 sums of absolute correlations of ten responses each, as a score leaves them."""
    rows = torch.randn(batch, 10, n, 2 * n, generator=generator, dtype=torch.float64)
    rows = torch.nn.functional.normalize(rows - rows.mean(-1, keepdim=True), dim=-1)
    return (rows @ rows.mT).abs().sum(1)


def main() -> int:
    """Runs all cases, prints their tables and writes the CSV; the exit code."""
    arguments = parser(__doc__, budget_ms=1000.0)
    arguments.add_argument("--only", default="", metavar="TEXT", help="cases whose name contains this")
    args = arguments.parse_args()
    session = Session("ops", args)
    for work in all_work(session.device):
        if args.only in work.name:
            measure(session, work)
    return session.finish()


if __name__ == "__main__":
    sys.exit(main())
