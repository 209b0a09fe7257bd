"""What figures depend on: hardware, instruction set, versions, threads, commit. Never a host name or a path."""

from __future__ import annotations

import importlib.util
import platform
import re
from pathlib import Path

import numpy as np
import torch

import wrcor_ext
from wrcor_ext import ops
from wrcor_ext.machine import SOURCES, commit, cpu_model


def environment(device: torch.device) -> dict[str, str | int]:
    """The columns of `schema.Result` that are the same for a whole run."""
    return {
        "device": device.type,
        "hardware": hardware(device),
        "threads": torch.get_num_threads(),
        "instruction_set": _instruction_set(device),
        "wrcor_ext": wrcor_ext.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "cupy": _cupy_version(),
        "cuda": torch.version.cuda or "",
        "python": platform.python_version(),
        "commit": commit(sources=(*SOURCES, "benchmarks/*.py")),
    }


def hardware(device: torch.device) -> str:
    """The card's name, or the processor's with its family: the marketing name alone may not tell its generation."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_model() + _cpu_family()


def slug(text: str) -> str:
    """`text` as part of a file name: "NVIDIA H100 80GB HBM3" is "nvidia-h100-80gb-hbm3"."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _instruction_set(device: torch.device) -> str:
    if device.type == "cuda":
        return "sm_{}{}".format(*torch.cuda.get_device_capability(device))
    library = ops.native_library()
    return "none" if library is None else library.instruction_set


def _cupy_version() -> str:
    if importlib.util.find_spec("cupy") is None:
        return ""
    import cupy

    return str(cupy.__version__)


def _cpu_family() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return f" (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else ""
