"""Where networks run: a device by name, checked before anything is built for it."""

from __future__ import annotations

import torch

from wrcor_ext.errors import InputError
from wrcor_ext.machine import cpu_model

Device = str | torch.device


def checked_device(device: Device) -> torch.device:
    """The device that is meant, `cuda:0` for `cuda`.

    Raises:
        InputError: if there is none of that name, or none that works; it says why.
    """
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch without CUDA asserts
        reason = str(error).partition("\n")[0]
        raise InputError(f"device {str(device)!r} cannot be used: {reason}") from error
    # "cuda" and "cuda:0" are the same device, but not equal.
    return torch.empty(0, device=found).device


def device_name(device: torch.device) -> str:
    """The model name of a device: what figures depend on, and nothing that identifies the machine."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return cpu_model() if device.type == "cpu" else device.type
