"""`python -m wrcor_ext.info`: what is installed, which backend answers each op on each device, and why."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

import wrcor_ext
from wrcor_ext import cli, ops
from wrcor_ext.machine import cpu_model
from wrcor_ext.spaces import nasbench101_native


@dataclass(frozen=True)
class Platform:
    """The machine.

    Attributes:
        system: operating system and release.
        machine: instruction set architecture, `x86_64`.
        cpu: model name of the processor.
        cores: processors that this process may use.
        threads: threads that torch computes with.
        gpus: name and compute capability of each GPU that torch sees.
    """

    system: str
    machine: str
    cpu: str
    cores: int
    threads: int
    gpus: tuple[str, ...]


@dataclass(frozen=True)
class Info:
    """What `python -m wrcor_ext.info --json` prints, field by field.

    Attributes:
        versions: package -> version, and `python`.
        platform: the machine.
        libraries: the compiled libraries, loaded or not.
        search_spaces: who answers for graphs of cells: "native" (`wrcor_ext._spaces`) or "python".
        backends: one entry per op and device.
    """

    versions: dict[str, str]
    platform: Platform
    libraries: tuple[ops.LibraryReport, ...]
    search_spaces: str
    backends: tuple[ops.OpBackend, ...]


def collect() -> Info:
    """Reads the facts of this process and machine."""
    return Info(
        versions={
            "wrcor_ext": wrcor_ext.__version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        platform=Platform(
            system=platform.platform(),
            machine=platform.machine(),
            cpu=cpu_model(),
            cores=len(os.sched_getaffinity(0)),
            threads=torch.get_num_threads(),
            gpus=tuple(_gpu(index) for index in range(torch.cuda.device_count())),
        ),
        libraries=(*ops.libraries(), _spaces_library()),
        search_spaces=nasbench101_native.BACKEND,
        backends=ops.backends(),
    )


def _gpu(index: int) -> str:
    properties = torch.cuda.get_device_properties(index)
    return f"{properties.name} (compute capability {properties.major}.{properties.minor})"


def _spaces_library() -> ops.LibraryReport:
    """The search-space algorithms, which are plain C++: every processor of the platform runs them."""
    file = nasbench101_native.EXTENSION
    loaded = nasbench101_native.BACKEND == "native"
    return ops.LibraryReport(file.name, str(file) if file.is_file() else "", loaded, nasbench101_native.REASON)


def render(info: Info, console: Console) -> None:
    """Prints the facts as tables for a reader; `console` must not interpret markup: paths may hold brackets."""
    facts = _grid()
    for name, version in info.versions.items():
        facts.add_row(name, version)
    facts.add_row("system", info.platform.system)
    facts.add_row("processor", f"{info.platform.cpu}; cores: {info.platform.cores}, threads: {info.platform.threads}")
    facts.add_row("GPU", "; ".join(info.platform.gpus) or "none")
    for library in info.libraries:
        facts.add_row(library.name.partition(".")[0], library.path or "not built")
        facts.add_row("", library.reason)
        if library.compiled_for:
            facts.add_row("", f"compiled for {', '.join(library.compiled_for)}")
    facts.add_row("search spaces", info.search_spaces)
    console.print(facts)

    answers = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("op", "device", "backend", "why"):
        answers.add_column(column)
    for answer in info.backends:
        backend = Text(answer.backend, style="yellow" if answer.backend == "torch" else "green")
        answers.add_row(answer.op, answer.device, backend, answer.reason)
    console.print()
    console.print(answers)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `wrcor info`; returns the exit code."""
    return cli.run(_main, argv)


def _main(argv: Sequence[str]) -> int:
    parser = cli.Parser(prog="wrcor info", description=__doc__.partition(": ")[2])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args(argv)
    info = collect()
    if arguments.json:
        print(json.dumps(asdict(info), indent=2))
    else:
        render(info, Console(markup=False, highlight=False))
    return 0


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    return grid


if __name__ == "__main__":
    sys.exit(main())
