"""A Ray cluster: connecting to it within a bounded time, and how many workers it takes."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from wrcor_ext.devices import checked_device
from wrcor_ext.errors import InputError, WrcorError, in_words
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.workers import cores

# Stands for a cluster of this machine's own.
LOCAL = "local"

# How long a running cluster has to answer.
ANSWER_SECONDS = 20.0

# A worker waits for its GPU after each candidate, and networks of this size leave most of it idle: others use it
# meanwhile. Each has a CUDA context of its own, some 0.5 GB, so that more would take memory for little.
WORKERS_PER_GPU = 4

# Ray counts GPUs in parts of 1/10000.
_GPU_PARTS = 10_000

# In a process of its own: Ray waits for minutes for what does not answer, and then ends the process that waits.
_PROBE = """
import logging, socket, sys
address = sys.argv[1]
if ":" in address and "//" not in address:
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port))).close()
import ray
ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL)
"""


@dataclass(frozen=True)
class Packing:
    """Workers, and what of a machine each of them takes.

    Attributes:
        workers: how many.
        num_cpus: CPUs of each.
        num_gpus: share of a GPU of each; 0 without.
    """

    workers: int
    num_cpus: float
    num_gpus: float = 0.0

    def __str__(self) -> str:
        count = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        if self.num_gpus:
            return f"{count}, {math.floor(1 / self.num_gpus)} on each GPU"
        return f"{count} with {self.num_cpus:g} CPU{'s' if self.num_cpus > 1 else ''} each"


def packing(
    machines: Sequence[Mapping[str, float]], *, workers: int | None, threads: int, group: int, gpu: bool
) -> Packing:
    """How many workers a cluster takes.

    Args:
        machines: resources of each, as Ray names them: `CPU` and, where there are any, `GPU`.
        workers: how many are wanted; as many as find room and a group keeps busy if None.
        threads: of each worker.
        group: candidates that are evaluated side by side.
        gpu: whether they need GPUs.

    Raises:
        InputError: if there is no room for a single one.
    """
    if not gpu:
        largest = max((machine.get("CPU", 0) for machine in machines), default=0)
        if largest < threads:
            raise InputError(f"--threads {threads}: no machine of the Ray cluster has more than {largest:g} CPUs")
        room = sum(int(machine.get("CPU", 0) // threads) for machine in machines)
        return Packing(workers or min(room, group), threads)
    having = [(machine["GPU"], machine.get("CPU", 0)) for machine in machines if machine.get("GPU", 0) >= 1]
    if not having:
        raise InputError("--device cuda: no machine of the Ray cluster has a GPU")
    gpus = sum(int(count) for count, _ in having)
    cpus_per_gpu = min(cpus / count for count, cpus in having)
    if workers is None:
        per_gpu = max(1, min(WORKERS_PER_GPU, int(cpus_per_gpu // threads)))
        workers = min(per_gpu * gpus, group)
    # No more on a GPU than needed: few workers have one each.
    per_gpu = math.ceil(workers / gpus)
    return Packing(workers, min(threads, cpus_per_gpu / per_gpu), math.floor(_GPU_PARTS / per_gpu) / _GPU_PARTS)


@contextmanager
def connected(config: SearchConfig, note: Callable[[str], None]) -> Iterator[Packing]:
    """Connects this process to the cluster that `config.ray` names, or starts one here; ends it, or leaves it, at last.

    Args:
        config: `ray`, `workers`, `threads`, `group` and the device decide.
        note: is told how many workers there will be.

    Raises:
        InputError: if Ray is not installed, or no cluster answers within `ANSWER_SECONDS`, or it has no room.
        WrcorError: if no cluster can be started here.
    """
    address = config.ray or LOCAL
    if ":" in config.device:
        raise InputError(f"--device {config.device} cannot be used with --ray, which chooses among GPUs: use cuda")
    if config.cache is not None:
        checked_device(config.device)  # what scores depend on is not known of a GPU elsewhere
    if importlib.util.find_spec("ray") is None:
        raise InputError(f"--ray {address} needs Ray: pip install 'wrcor_ext[ray]'")
    # Read when Ray is imported. The last silences what its daemons have to say about each worker that died.
    for name, value in {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}.items():
        os.environ.setdefault(name, value)
    if address != LOCAL:
        _refuse_silent(address)
    import ray

    before = signal.getsignal(signal.SIGTERM)
    try:
        with _seeing_our_modules():
            _init(ray, address, config)
    finally:
        signal.signal(signal.SIGTERM, before)  # Ray would end the process at once
    try:
        machines = [machine["Resources"] for machine in ray.nodes() if machine["Alive"]]
        packed = packing(
            machines,
            workers=config.workers,
            threads=config.threads,
            group=config.group,
            gpu=config.device != "cpu",
        )
        note(f"Ray: {packed}")
        yield packed
    finally:
        ray.shutdown()


def _init(ray: Any, address: str, config: SearchConfig) -> None:
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.CRITICAL}
    own = {"num_cpus": max(cores(), (config.workers or 1) * config.threads)} if address == LOCAL else {}
    try:
        ray.init(address=address, **quiet, **own)
    except Exception as error:  # Ray raises whatever its many parts raise
        raise WrcorError(f"--ray {address}: Ray does not start: {in_words(error)}") from error


@contextmanager
def _seeing_our_modules() -> Iterator[None]:
    """Processes that are started here find what this one finds: `wrcor_ext`, and the user's own modules."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _refuse_silent(address: str) -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE, address], capture_output=True, text=True, timeout=ANSWER_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"--ray {address}: no Ray cluster answers there within {ANSWER_SECONDS:g} s") from None
    if done.returncode:
        raise InputError(f"--ray {address}: no Ray cluster answers there: {_reason(done.stderr)}")


def _reason(output: str) -> str:
    """What the last exception in a process's output says, in one line."""
    lines = output.strip().splitlines() or ["it ended without a word"]
    # Lines of a traceback are indented; what an exception says may take several lines.
    begins = [index for index, line in enumerate(lines) if re.match(r"[\w.]*(Error|Exception|error)\b", line)]
    return " ".join(" ".join(lines[begins[-1] if begins else -1 :]).split())
