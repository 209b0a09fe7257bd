"""The one place that defines the op schemas, their fakes and their pure-torch fall back.

The fall back is registered as CompositeExplicitAutograd, the lowest rung: a kernel that a compiled library registers
for a device takes over as soon as that library is loaded. Where none is for CUDA, CuPy may be the rung between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from wrcor_ext.ops import cupy_backend, native, reference
from wrcor_ext.ops.checks import check_accumulator, check_group, check_response, check_square

NAMESPACE = "wrcor_ext"

SCHEMAS = {
    "response_correlation": "(Tensor x) -> Tensor",
    "accumulate_correlation": "(Tensor(a!) k, Tensor x, float weight, Tensor(b!) counts) -> ()",
    "accumulate_correlation_group": "(Tensor(a!) k, Tensor[] xs, float[] weights, Tensor(b!) used) -> ()",
    "accumulate_hamming": "(Tensor(a!) k, Tensor x, float weight, Tensor(b!) counts) -> ()",
    "slogdet": "(Tensor k) -> (Tensor sign, Tensor logabsdet)",
}


def _response_correlation_fake(x: Tensor) -> Tensor:
    check_response(x)
    return x.new_empty((x.shape[0], x.shape[0]), dtype=torch.float64)


def _accumulate_fake(k: Tensor, x: Tensor, weight: float, counts: Tensor) -> None:
    check_accumulator(k, x, counts)


def _accumulate_group_fake(k: Tensor, xs: Sequence[Tensor], weights: Sequence[float], used: Tensor) -> None:
    check_group(k, xs, weights, used)


def _slogdet_fake(k: Tensor) -> tuple[Tensor, Tensor]:
    check_square(k)
    return k.new_empty(k.shape[:-2]), k.new_empty(k.shape[:-2])


_FAKES: dict[str, Callable[..., Any]] = {
    "response_correlation": _response_correlation_fake,
    "accumulate_correlation": _accumulate_fake,
    "accumulate_correlation_group": _accumulate_group_fake,
    "accumulate_hamming": _accumulate_fake,
    "slogdet": _slogdet_fake,
}


def _announced(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def answer(*args: Any) -> Any:
        native.announce_fallback(args[0].device.type)
        return function(*args)

    return answer


def _register() -> torch.library.Library:
    library = torch.library.Library(NAMESPACE, "DEF")
    for name, schema in SCHEMAS.items():
        library.define(name + schema)
        library.impl(name, _announced(getattr(reference, name)), "CompositeExplicitAutograd")
        torch.library.register_fake(f"{NAMESPACE}::{name}", _FAKES[name], lib=library)
    return library


def _by_cupy(name: str, fall_back: Callable[..., Any]) -> Callable[..., Any]:
    """Answers by CuPy if it can be used, which the first call finds out."""

    @wraps(fall_back)
    def answer(*args: Any) -> Any:
        ops = cupy_backend.find().ops
        return fall_back(*args) if ops is None else getattr(ops, name)(*args)

    return answer


def _register_cupy(library: torch.library.Library) -> None:
    for name in SCHEMAS:
        library.impl(name, _by_cupy(name, _announced(getattr(reference, name))), "CUDA")


_library = _register()  # torch removes the registrations when this object dies
native.load()
if native.cupy_may_answer():
    _register_cupy(_library)
