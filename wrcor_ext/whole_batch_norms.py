"""Batch-norms of a part of a batch, with the statistics of the whole batch.

A batch-norm is all that couples the images of most networks, and by little: in the forward by the mean and the variance
of each channel, in the backward by two more means. Once these are known, each image can be computed by itself. They are
learned one call after the other, since those of a call depend on those before it: every part is run as far as the first
call that is not known, which takes from it what it has to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from wrcor_ext.torch_calls import BATCH_NORMS


class StoppedError(Exception):
    """A call whose statistics are not known has taken what this part of the batch has to say, and goes no further."""


class MixingError(Exception):
    """The parts of the batch do not do the same things in the same order."""


@dataclass(frozen=True)
class _Statistics:
    """Of the input of a call: numbers per channel, their mean and biased variance [C], float64."""

    count: int
    mean: Tensor
    variance: Tensor

    @staticmethod
    def of(x: Tensor) -> _Statistics:
        over = _all_but_channels(x)
        mean = x.mean(over, dtype=torch.float64)
        near = mean.to(x.dtype)
        # The deviation from what `mean` is rounded to, corrected for the rounding.
        square = (x - _by_channel(near, x)).square().mean(over, dtype=torch.float64)
        return _Statistics(x.numel() // x.shape[1], mean, square - (mean - near).square())

    def joined(self, other: _Statistics) -> _Statistics:
        """Those of both, by the formula of Chan, Golub and LeVeque."""
        count = self.count + other.count
        share, apart = other.count / count, other.mean - self.mean
        variance = self.variance + share * (other.variance - self.variance) + share * (1 - share) * apart.square()
        return _Statistics(count, self.mean + share * apart, variance)


@dataclass(frozen=True)
class _Sums:
    """Of the gradient g at the normalised values z of a call: the sums of g and of g z [C], float64."""

    gradient: Tensor
    product: Tensor

    def joined(self, other: _Sums) -> _Sums:
        return _Sums(self.gradient + other.gradient, self.product + other.product)


class WholeBatchNorms(TorchFunctionMode):
    """Context manager around the forward of one part of a batch; keep it for all parts.

    Raises:
        StoppedError: inside, from a forward or its backward, where something is not known yet; see `learned`.
        MixingError: inside, if one part stops elsewhere than another.
    """

    def __init__(self) -> None:
        super().__init__()
        self._at_once = False
        self._differentiated = ""
        self._statistics: list[_Statistics] = []
        self._sums: dict[tuple[str, int], _Sums] = {}
        self._calls = 0
        # What the parts have said so far about the one call that is not known yet.
        self._asked: int | tuple[str, int] | None = None
        self._said: Any = None

    def __enter__(self) -> WholeBatchNorms:
        self._calls = 0
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    @property
    def found(self) -> bool:
        """Whether there is any batch-norm."""
        return bool(self._statistics)

    @contextmanager
    def of_the_whole(self) -> Iterator[None]:
        """Inside, a part is the whole batch, whose statistics are known as soon as they are seen."""
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    @contextmanager
    def differentiating(self, what: str) -> Iterator[None]:
        """Around a backward: of what. Each has means of its own."""
        self._differentiated = what
        yield

    def learned(self) -> bool:
        """To be asked when all parts have run: whether something has been learned, so that all have to run again."""
        asked, said = self._asked, self._said
        self._asked = self._said = None
        if asked is None:
            return False
        if isinstance(asked, int):
            self._statistics.append(said)
        else:
            self._sums[asked] = said
        return True

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        bind = BATCH_NORMS.get(func)
        call = None if bind is None else bind(*args, **(kwargs or {}))
        if call is None or not call.training:
            return func(*args, **(kwargs or {}))
        number, self._calls = self._calls, self._calls + 1
        if number == len(self._statistics):
            statistics = _Statistics.of(call.input.detach())
            if not self._at_once:
                self._ask(number, statistics)
            self._statistics.append(statistics)
        return _Normalised.apply(call.input, call.weight, call.bias, call.eps, self._statistics[number], self, number)

    def means(self, number: int, gradient: Tensor, normalised: Tensor) -> tuple[Tensor, Tensor]:
        """The means over the whole batch of the gradient at the normalised values, and of the product of both.

        Raises:
            StoppedError: if they are not known.
        """
        key = (self._differentiated, number)
        if key not in self._sums:
            over = _all_but_channels(gradient)
            product = (gradient * normalised).sum(over, dtype=torch.float64)
            self._ask(key, _Sums(gradient.sum(over, dtype=torch.float64), product))
        sums, count = self._sums[key], self._statistics[number].count
        return sums.gradient / count, sums.product / count

    def _ask(self, key: int | tuple[str, int], said: _Statistics | _Sums) -> None:
        if self._asked not in (None, key):
            raise MixingError
        self._asked, self._said = key, said if self._said is None else self._said.joined(said)
        raise StoppedError


class _Normalised(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) * weight + bias, with the backward of a batch-norm."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
        statistics: _Statistics,
        norms: WholeBatchNorms,
        number: int,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.statistics, ctx.eps, ctx.norms, ctx.number = statistics, eps, norms, number
        out = _normalised(x, statistics, eps)
        if weight is not None:
            out = out * _by_channel(weight, x)
        if bias is not None:
            out = out + _by_channel(bias, x)
        return out.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        z = _normalised(x, ctx.statistics, ctx.eps)
        wide = gradient.to(z.dtype)
        over = _all_but_channels(x)
        of_weight = (wide * z).sum(over).to(weight.dtype) if ctx.needs_input_grad[1] else None
        of_bias = wide.sum(over) if ctx.needs_input_grad[2] else None
        if weight is not None:
            wide = wide * _by_channel(weight, x)
        mean, product = (_by_channel(m.to(z.dtype), x) for m in ctx.norms.means(ctx.number, wide, z))
        of_x = (wide - mean - z * product) * _by_channel(_inverse_deviation(ctx.statistics, ctx.eps, z.dtype), x)
        return of_x.to(x.dtype), of_weight, of_bias, None, None, None, None


def _normalised(x: Tensor, statistics: _Statistics, eps: float) -> Tensor:
    wide = torch.promote_types(x.dtype, torch.float32)
    centred = x.to(wide) - _by_channel(statistics.mean.to(wide), x)
    return centred * _by_channel(_inverse_deviation(statistics, eps, wide), x)


def _inverse_deviation(statistics: _Statistics, eps: float, dtype: torch.dtype) -> Tensor:
    return (statistics.variance + eps).rsqrt().to(dtype)


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    return values.view(-1, *[1] * (x.dim() - 2))


def _all_but_channels(x: Tensor) -> list[int]:
    return [dim for dim in range(x.dim()) if dim != 1]
