"""Blocks that keep only their input for the backward, and run again in it: a forward more for less memory.

The batch stays whole, and so do the statistics of batch-norms: every number is what it would be without. As
`torch.utils.checkpoint` does it, which loads the compiler first: no thing to do where memory is short.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from wrcor_ext import levels


class OverwrittenInputError(Exception):
    """A block overwrites its input, and cannot run again from it: the pass is to be run again without `block`."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block


def recomputable(model: nn.Module, blocks: Sequence[nn.Module]) -> list[nn.Module]:
    """The modules to run again one by one: those that open levels, or else those that would by themselves.

    A module inside another one is left out, and so is the whole model, which would save nothing.
    """
    found = list(dict.fromkeys(blocks)) or list(dict.fromkeys(levels.resolve(model)))
    inside = {part for block in found for part in block.modules() if part is not block}
    return [block for block in found if block not in inside and block is not model]


@contextmanager
def recomputed(
    blocks: Sequence[nn.Module],
    is_rooted: Callable[[nn.Module], bool],
    context: Callable[[], AbstractContextManager[object]],
) -> Iterator[list[Tensor]]:
    """Runs the forwards inside so that their backwards run each of `blocks` again.

    Hooks see the first run only, and gradients arrive in its graph.

    Args:
        blocks: modules, none inside another.
        is_rooted: whether a block's input is to take part in the graph. It has to where the graph would begin at a
            response inside the block: responses are looked at in the first run only, and the second would not match.
        context: what the forwards run in, for the second run.

    Yields:
        The leaves where graphs begin, once the forward has run: those of rooted inputs.

    Raises:
        OverwrittenInputError: inside, from a block that overwrites its input.
    """
    roots: list[Tensor] = []
    with ExitStack() as replaced:
        for block in blocks:
            own = block.__dict__.get("forward")
            block.forward = functools.partial(
                _forward, block, block.forward, roots if is_rooted(block) else None, context
            )
            if own is None:
                replaced.callback(block.__dict__.pop, "forward")
            else:
                replaced.callback(block.__dict__.__setitem__, "forward", own)
        yield roots


def _forward(
    block: nn.Module,
    forward: Callable[..., Any],
    roots: list[Tensor] | None,
    context: Callable[[], AbstractContextManager[object]],
    /,
    *args: Any,
    **kwargs: Any,
) -> Any:
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    given, structure = tree_flatten((args, kwargs))
    if roots is not None:
        given = [_in_graph(value, roots) for value in given]
    run = _Run(forward, given, structure, context)
    args, kwargs = tree_unflatten(given, structure)
    with saved_tensors_hooks(run.pack, run.unpack):
        output = forward(*args, **kwargs)
    if not run.has_its_input:
        raise OverwrittenInputError(block)
    return output


def _in_graph(value: Any, roots: list[Tensor]) -> Any:
    if not isinstance(value, Tensor) or value.requires_grad or not value.is_floating_point():
        return value
    roots.append(value.detach().requires_grad_())
    return roots[-1].clone()  # a leaf is not the block's to overwrite


def _version(value: Any) -> int | None:
    return value._version if isinstance(value, Tensor) and not value.is_inference() else None


class _Saved:
    """Stands in the graph for a tensor, and dies with the node that it was saved for."""

    def __init__(self, like: Tensor) -> None:
        self.like = like.shape, like.dtype


class _Run:
    """One call of a block: its input, and for a while what its backward needs."""

    def __init__(
        self,
        forward: Callable[..., Any],
        given: Sequence[Any],
        structure: TreeSpec,
        context: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._forward = forward
        self._given = [value.detach() if isinstance(value, Tensor) else value for value in given]
        self._in_graph = [isinstance(value, Tensor) and value.requires_grad for value in given]
        self._versions = [_version(value) for value in given]
        self._structure = structure
        self._context = context
        self._random = _RandomState()
        self._saved: list[weakref.ref[_Saved]] = []
        self._tensors: WeakKeyDictionary[_Saved, tuple[Tensor, int]] = WeakKeyDictionary()

    @property
    def has_its_input(self) -> bool:
        """Whether nothing of the input has been overwritten."""
        return [_version(value) for value in self._given] == self._versions

    def pack(self, tensor: Tensor) -> _Saved:
        """Lets a tensor go, and notes that the graph wants it."""
        saved = _Saved(tensor)
        self._saved.append(weakref.ref(saved))
        return saved

    def unpack(self, saved: _Saved) -> Tensor:
        """The tensor again, by the block's second run."""
        if saved not in self._tensors:
            self._run_again()
        tensor, version = self._tensors.pop(saved)
        if tensor._version != version:
            raise RuntimeError("a tensor that the backward needs has been overwritten")
        return tensor

    def _run_again(self) -> None:
        if not self.has_its_input:
            raise RuntimeError("the input of a block has been overwritten after it ran")
        given = [
            value.detach().requires_grad_() if in_graph else value
            for value, in_graph in zip(self._given, self._in_graph, strict=True)
        ]
        args, kwargs = tree_unflatten(given, self._structure)
        again = 0

        def keep(tensor: Tensor) -> None:
            nonlocal again
            saved = self._saved[again]() if again < len(self._saved) else None
            again += 1
            if saved is None:
                return
            if saved.like != (tensor.shape, tensor.dtype):
                raise RuntimeError("a block does something else when it runs again")
            self._tensors[saved] = tensor.detach(), tensor._version

        with ExitStack() as stack:
            stack.enter_context(torch.enable_grad())
            stack.enter_context(self._random.again())
            stack.enter_context(self._context())
            stack.enter_context(saved_tensors_hooks(keep, _never))
            self._forward(*args, **kwargs)
        if again != len(self._saved):
            raise RuntimeError("a block does something else when it runs again")


def _never(nothing: object) -> Tensor:
    raise AssertionError("the second run has no backward")


class _RandomState:
    """The state of the global random generators of torch."""

    def __init__(self) -> None:
        self._host = torch.get_rng_state()
        self._devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []

    @contextmanager
    def again(self) -> Iterator[None]:
        """Draws inside are those that followed this state."""
        with torch.random.fork_rng(devices=range(len(self._devices))):
            torch.set_rng_state(self._host)
            for device, state in enumerate(self._devices):
                torch.cuda.set_rng_state(state, device)
            yield
