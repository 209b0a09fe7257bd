"""The Jacobian of each block with respect to its input, estimated from one backward of random signs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wrcor_ext.errors import NotApplicableError
from wrcor_ext.measurements.primary_blocks import NO_BLOCKS, by_channel, is_feature_map, primary_blocks
from wrcor_ext.needs import OwnPasses, Subject


@dataclass(frozen=True)
class BlockJacobians(OwnPasses):
    """Per block after the first the spectral norm of its Jacobian between channels at one position, [blocks] float64.

    The Jacobian [C_in, C_out] is estimated: a block hands random signs v (+1 or -1) at its output back as g = J^T v at
    its input; since E[v v^T] is the identity, the mean of g v^T over images and positions estimates J^T. The graph is
    cut between blocks, so that one backward serves all. Where a block divides the resolution by s, each output position
    has s x s input positions, and these stand beside the channels: C_in s^2 rows. NaN where an estimate is not finite.
    """

    backwards = 1
    on = "the images, block by block"
    channels_last = True

    def measure(self, subject: Subject) -> Tensor:
        """The norms, in the order in which the blocks run."""
        blocks = _Blocks(subject)
        with blocks.attached:
            subject.model(subject.images)
        seen = blocks.seen[1:]
        if not seen:
            raise NotApplicableError(NO_BLOCKS if not blocks.seen else "there is one block only, and none before it")
        total = torch.stack([block.projection for block in seen]).sum()
        gradients = torch.autograd.grad(
            total, [block.input for block in seen], allow_unused=True, materialize_grads=True
        )
        found = [_jacobian(g, block.signs) for g, block in zip(gradients, seen, strict=True)]
        norms = [_spectral_norm(jacobian) for jacobian in found if jacobian is not None]
        if not norms:
            raise NotApplicableError("no block's input has as many positions as its output, or a multiple of them")
        return torch.stack(norms)


@dataclass(frozen=True)
class _Block:
    """A block that ran: its input, the random signs for its output, and the product of output and signs, summed."""

    input: Tensor
    signs: Tensor
    projection: Tensor


class _Blocks:
    """Cuts the graph in front of each block that takes and gives one feature map.

    Attributes:
        attached: closing it removes the hooks.
        seen: the blocks, in the order in which they ran.
    """

    def __init__(self, subject: Subject) -> None:
        self.attached = ExitStack()
        self.seen: list[_Block] = []
        self._inputs: dict[nn.Module, Tensor] = {}
        # On the host, so that every device gets the same signs.
        self._generator = torch.Generator().manual_seed(subject.seed)
        for block in primary_blocks(subject):
            self.attached.callback(block.register_forward_pre_hook(self._before).remove)
            self.attached.callback(block.register_forward_hook(self._after).remove)

    def _before(self, block: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if len(args) != 1 or not is_feature_map(args[0]):
            return None
        leaf = args[0].detach().requires_grad_()
        self._inputs[block] = leaf
        return (leaf.clone(),)  # a block may begin by overwriting it

    def _after(self, block: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        leaf = self._inputs.pop(block, None)
        if leaf is None or not is_feature_map(out) or not out.requires_grad:
            return
        drawn = torch.randint(2, out.shape, generator=self._generator, dtype=torch.int8)
        signs = drawn.to(out.device).to(out.dtype) * 2 - 1
        # Now: what follows may overwrite the output.
        self.seen.append(_Block(leaf, signs, (out * signs).sum()))


def _jacobian(gradient: Tensor, signs: Tensor) -> Tensor | None:
    """[C_in, C_out] from the gradient at a block's input and the signs at its output; None where they do not match."""
    if gradient.shape[2:] != signs.shape[2:] and gradient.dim() == signs.dim() == 4:
        factor = gradient.shape[-1] // signs.shape[-1]
        if factor < 1 or gradient.shape[2:] != (signs.shape[2] * factor, signs.shape[3] * factor):
            return None
        gradient = F.pixel_unshuffle(gradient, factor)
    g, v = by_channel(gradient), by_channel(signs)
    return (g @ v.T).double() / v.shape[1] if g.shape[1] == v.shape[1] else None


def _spectral_norm(jacobian: Tensor) -> Tensor:
    # The solver refuses what is not finite.
    return torch.linalg.matrix_norm(jacobian, 2) if bool(jacobian.isfinite().all()) else jacobian.new_tensor(torch.nan)
