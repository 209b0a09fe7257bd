"""Weights from a seed, without a trace in torch's global generators."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from wrcor_ext.errors import InputError


@contextmanager
def private_rng(seed: int | None) -> Iterator[None]:
    """Inside, modules are created on the CPU with weights that depend on `seed` alone.

    Afterwards the global generator is as it was. With `seed=None` nothing happens: weights come from the global
    generator of the default device. Modules know no other generator than the global one, so it is borrowed: two
    threads must not be inside at the same time.

    Raises:
        InputError: for a seed that is not a whole number from 0 to 2**63 - 1.
    """
    if seed is None:
        yield
        return
    try:
        number = operator.index(seed)  # numpy's integers are welcome
    except TypeError:
        number = -1
    if not 0 <= number < 2**63:
        raise InputError(f"seed={seed!r} is not a whole number from 0 to 2**63 - 1")
    # The CPU generator alone: torch.manual_seed would seed, and so change, the accelerators' generators as well.
    generator = torch.default_generator
    state = generator.get_state()
    generator.manual_seed(number)
    try:
        with torch.device("cpu"):
            yield
    finally:
        generator.set_state(state)
