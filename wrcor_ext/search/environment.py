"""What a run depends on besides its configuration: recorded at its start, compared when it is resumed."""

from __future__ import annotations

import platform
from collections.abc import Mapping

import numpy as np
import torch

import wrcor_ext
from wrcor_ext.data import Batch
from wrcor_ext.devices import Device, checked_device, device_name
from wrcor_ext.machine import commit

# In the environment of a run that was merged and cannot go on: what it was merged from.
MERGED = "merged"


def environment(batch: Batch, device: Device = "cpu") -> dict[str, object]:
    """Versions, hardware and the fingerprint of the batch, as JSON values. Nothing that identifies the machine.

    Args:
        batch: the images of the run.
        device: that networks run on.
    """
    return {
        "wrcor_ext": wrcor_ext.__version__,
        "commit": commit() or None,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "device": device_name(checked_device(device)),
        "threads": torch.get_num_threads(),
        "batch_sha256": batch.sha256,
        "batch_shape": list(batch.images.shape),
        "num_classes": batch.num_classes,
    }


def changes(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """What differs between two environments, one phrase each."""
    return [
        f"{name} was {before.get(name)} and is {value} now" for name, value in now.items() if before.get(name) != value
    ]
