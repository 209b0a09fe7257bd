"""All deterministic proxies at once, against each of them alone.

    python benchmarks/bench_proxies.py
    python benchmarks/bench_proxies.py --proxies gradsign ntk_condition
    python benchmarks/bench_proxies.py --device cuda --networks nasbench201 mobilenetv2

`together` is one call of `score` for all proxies, which shares the passes; every proxy alone is one call as well, and
`one by one` the sum of these. All run in the same rounds: quote the ratio of processor times where the machine has
other work. A proxy alone takes what a user of that proxy waits for, the fastest way that there is here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from threads import limit_threads

if __name__ == "__main__":
    limit_threads(sys.argv[1:])

import networks
from driver import Case, Contender, Session, parser
from networks import Network
from schema import Result
from table import show

import wrcor_ext
from wrcor_ext import proxies

TOGETHER, ALONE = "together", "one by one"


def deterministic() -> list[str]:
    """The proxies that draw no random numbers."""
    return [name for name in proxies.names() if proxies.get(name).deterministic]


def measure(session: Session, network: Network, names: Sequence[str]) -> None:
    """All proxies at once and each alone, then the sum of the latter."""
    case = Case(f"{network.name}, proxies", "x".join(map(str, network.images.shape)), "float32")
    contenders = {TOGETHER: Contender(_scoring(network, names))}
    contenders |= {name: Contender(_scoring(network, [name])) for name in names}
    both = in_all(session.compare(case, contenders))
    show(session.console, both)
    session.rows += both


def in_all(rows: Sequence[Result]) -> list[Result]:
    """Two rows: the sum of the medians of single proxies, and what all take together as a share of it."""
    together, *alone = rows
    nothing = float("nan")
    seconds, cpu_seconds = sum(row.seconds for row in alone), sum(row.cpu_seconds for row in alone)
    case = f"{together.case} in all"
    summed = replace(
        together,
        case=case,
        backend=ALONE,
        baseline=ALONE,
        seconds=seconds,
        seconds_min=nothing,
        seconds_max=nothing,
        cpu_seconds=cpu_seconds,
        ratio=1.0,
        cpu_ratio=1.0,
    )
    share, cpu_share = together.seconds / seconds, together.cpu_seconds / cpu_seconds
    return [summed, replace(together, case=case, baseline=ALONE, ratio=share, cpu_ratio=cpu_share)]


def _scoring(network: Network, names: Sequence[str]) -> Callable[[], object]:
    return lambda: wrcor_ext.score(network.model, network.images, network.labels, proxies=names)


def main() -> int:
    """Runs all networks, prints their tables and writes the CSV; the exit code."""
    arguments = parser(__doc__, budget_ms=1_000.0)  # five rounds of half a minute each
    arguments.add_argument("--networks", nargs="+", choices=list(networks.BUILDERS), default=["nasbench201"])
    arguments.add_argument("--batch", type=int, default=64, help="images (default 64)")
    arguments.add_argument("--proxies", nargs="+", choices=proxies.names(), help="default: all that are deterministic")
    args = arguments.parse_args()
    session = Session("proxies", args)
    for name in args.networks:
        measure(session, networks.network(name, args.batch, session.device), args.proxies or deterministic())
    return session.finish()


if __name__ == "__main__":
    sys.exit(main())
