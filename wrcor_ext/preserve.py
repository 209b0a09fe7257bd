"""Gives a model, and the process's random state, back exactly as they were."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Restores train/eval mode, `requires_grad`, gradients and buffers of `model` on leaving.

    Buffers keep their identity: a batch-norm's running statistics are the same tensors with the same values. Holds
    after an exception too. Hooks are the business of whoever adds them.
    """
    # One walk over the modules: for a network of many small layers, walking costs more than copying its buffers.
    modules = list(model.modules())
    modes = [(m, m.training) for m in modules]
    parameters = [(p, p.requires_grad, p.grad) for m in modules for p in m._parameters.values() if p is not None]
    buffers = [(m, n, b, None if b is None else b.clone()) for m in modules for n, b in m._buffers.items()]
    names = [(m, set(m._buffers)) for m in modules]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, requires_grad, grad in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad
        for module, before in names:
            for name in set(module._buffers) - before:  # registered by the forward
                delattr(module, name)
        with torch.no_grad():
            for module, name, buffer, values in buffers:
                module._buffers[name] = buffer
                if buffer is not None and values is not None:
                    buffer.copy_(values)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds torch's, numpy's and Python's global random generators, and restores all of them on leaving."""
    # The legacy generator is the one that global draws of a model would come from.
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
