"""Watches one forward and one backward of a model and hands every response to a sink.

Unless gradients of parameters or images are wanted as well, the graph starts at the first response of `first_level`, so
that everything before runs as inference and the backward computes gradients of activations only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.overrides import TorchFunctionMode

from wrcor_ext import activations

Rule = Literal["activations", "reference"]
RULES: tuple[Rule, ...] = ("activations", "reference")


class Sink(Protocol):
    """Takes responses as they happen; must not change them."""

    def activation(self, level: int, response: Tensor, *, overwritten: bool = False) -> None:
        """An activation response [N, ...]; `overwritten` says that an in-place activation is about to do so."""

    def gradient(self, level: int, response: Tensor) -> None:
        """A gradient response [N, ...] of one activation call, during the backward."""


class Recorder:
    """Context manager around a forward of `model`; call `backward` on the loss inside or after it.

    Args:
        model: the network. Where neither its parameters nor the images require gradients, the graph begins at the first
            response.
        sink: where responses go.
        rule: `"activations"`: every call of an activation function, module or functional, in place or not.
            `"reference"`: every module whose class name contains `ReLU`, as the published code has it: composites
            such as `ReLUConvBN` count as well, with what the autograd node of their output hands back as the
            gradient, and an in-place ReLU is seen after the activation.
        blocks: the modules that open level 0, 1, ... (`wrcor_ext.levels.resolve`).
        first_level: responses of earlier levels are passed over.
        gradients: whether a backward will follow.
    """

    def __init__(
        self,
        model: nn.Module,
        sink: Sink,
        *,
        rule: Rule = "activations",
        blocks: Sequence[nn.Module] = (),
        first_level: int = 0,
        gradients: bool = True,
    ) -> None:
        self._model = model
        self._sink = sink
        self._rule = rule
        self._blocks = blocks
        self.first_level = first_level
        self._gradients = gradients
        self._level = 0
        self._attached = ExitStack()
        self._sources: list[Tensor] = []
        self._edges: list[GradientEdge] = []
        self._listening = False
        self._awaited: dict[int, _Awaited] = {}
        # Views that a module would overwrite, and the modules: one may be inside another.
        self._overwritten: list[tuple[nn.Module, Tensor]] = []
        self.calls = 0

    def __enter__(self) -> Recorder:
        with ExitStack() as attached:
            for level, block in enumerate(self._blocks):
                handle = block.register_forward_pre_hook(functools.partial(self._enter_level, level))
                attached.callback(handle.remove)
            if self._rule == "reference":
                for module in self._model.modules():
                    if "ReLU" in type(module).__name__:
                        attached.callback(module.register_forward_pre_hook(self._before_module).remove)
                        attached.callback(module.register_forward_hook(self._after_module).remove)
            else:
                attached.enter_context(_ActivationCalls(self._call))
            self._attached = attached.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._attached.close()
        if exception[0] is not None:
            self._let_go()

    def _let_go(self) -> None:
        """Releases the graph: its hooks hold the recorder, a circle that nothing else would break."""
        self._sources.clear()
        self._edges.clear()

    def backward(
        self, loss: Tensor, also: Sequence[Tensor] = (), *, begun_before: bool = False
    ) -> tuple[Tensor | None, ...]:
        """Runs the gradients of `loss` (a scalar) back to the first response; `.grad` stays untouched.

        A call that the loss does not depend on has the gradient zero, and that is what the sink gets for it.

        Args:
            loss: of the forward that was recorded.
            also: tensors that take part in the graph, and that every response depends on which does not begin a graph
                of its own: weights, or the images.
            begun_before: whether the graph begins before the first response and is not to be followed back to there.
                Takes more memory: the gradients of all responses are kept until the end.

        Returns:
            The gradients of `also`; None where the loss does not depend on one.
        """
        cut = not also and (begun_before or not self._sources)
        targets = [*also, *self._sources, *(self._edges if cut else ())]
        gradients: tuple[Tensor | None, ...] = (None,) * len(also)
        try:
            if targets and loss.requires_grad:
                self._listening = True
                gradients = torch.autograd.grad(loss, targets, allow_unused=True)[: len(also)]
        finally:
            self._listening = False
            self._let_go()
        for missing in self._awaited.values():
            zero = torch.zeros(missing.shape, dtype=missing.dtype, device=missing.device)
            self._sink.gradient(missing.level, zero)
        self._awaited.clear()
        return gradients

    def _enter_level(self, level: int, module: nn.Module, args: object) -> None:
        self._level = level

    @property
    def _recording(self) -> bool:
        return self._level >= self.first_level

    def _rooted(self, x: Tensor, in_place: bool) -> Tensor:
        """x as part of the graph, so that an activation of it gets a gradient: without a copy."""
        if x.requires_grad:
            self._edges.append(get_gradient_edge(x))
            return x
        if not in_place:
            source = x.detach().requires_grad_()
            self._sources.append(source)
            return source
        # A leaf cannot be overwritten: the graph begins one node earlier, and x itself becomes that node's output.
        root = torch.zeros((), requires_grad=True)
        self._sources.append(root)
        return cast(Tensor, _Root.apply(root, x))

    # rule="activations"

    def _call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        x = args[0] if args else kwargs.get("input")
        self.calls += 1
        if not (self._recording and isinstance(x, Tensor) and x.is_floating_point()):
            return function(*args, **kwargs)
        level, in_place = self._level, activations.works_in_place(function, args, kwargs)
        self._sink.activation(level, x, overwritten=in_place)
        if not self._gradients:
            return function(*args, **kwargs)
        call = self._await(level, x)
        if not torch.is_grad_enabled():  # switched off by the model itself: nothing will come
            return function(*args, **kwargs)

        def applied(branch: Tensor) -> Any:
            return function(branch, *args[1:], **kwargs) if args else function(**{**kwargs, "input": branch})

        if in_place and not x._is_view():
            out = applied(self._rooted(x, in_place=True))
            if out.grad_fn is not None:
                out.grad_fn.register_hook(functools.partial(self._node_gradient, call))
            return out
        branch = self._rooted(x, in_place=False)
        # A view of its own for each call: its gradient is that of this branch alone, whatever else consumes x.
        branch = branch.view_as(branch) if branch is x else branch
        branch.register_hook(functools.partial(self._tensor_gradient, call))
        if not in_place:
            return applied(branch)
        # What a view is overwritten with, autograd attributes to its base: the node of the activation cannot be found
        # behind it. So a copy is overwritten, and the view gets the result.
        return x.copy_(applied(branch.clone()))

    # rule="reference"

    def _before_module(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if not (self._recording and self._gradients and args and isinstance(args[0], Tensor)):
            return None
        x = args[0]
        if not (torch.is_grad_enabled() and x.is_floating_point()):
            return None
        in_place = bool(getattr(module, "inplace", False))
        if in_place and x._is_view():  # for the reason in `_call`
            self._overwritten.append((module, x))
            return (self._rooted(x, in_place=False).clone(), *args[1:])
        return (self._rooted(x, in_place), *args[1:])

    def _after_module(self, module: nn.Module, args: tuple[Any, ...], out: Any) -> Any:
        self.calls += 1
        if not (self._recording and args and isinstance(args[0], Tensor)):
            return None
        self._sink.activation(self._level, args[0].detach())
        if not (self._gradients and isinstance(out, Tensor)):
            return None
        call = self._await(self._level, out)
        if out.grad_fn is not None:
            # What the node of the output hands back first: the gradient of a ReLU's input, of a composite's last layer.
            out.grad_fn.register_hook(functools.partial(self._node_gradient, call))
        if self._overwritten and self._overwritten[-1][0] is module:
            return self._overwritten.pop()[1].copy_(out)
        return None

    # both

    def _await(self, level: int, like: Tensor) -> int:
        call = len(self._awaited)
        self._awaited[call] = _Awaited(level, like.shape, like.dtype, like.device)
        return call

    def _tensor_gradient(self, call: int, gradient: Tensor) -> None:
        if self._listening:
            self._sink.gradient(self._awaited.pop(call).level, gradient)

    def _node_gradient(self, call: int, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor | None]) -> None:
        if self._listening and inputs and inputs[0] is not None:
            self._sink.gradient(self._awaited.pop(call).level, inputs[0])


@dataclass(frozen=True)
class _Awaited:
    """A call whose gradient has not come yet."""

    level: int
    shape: torch.Size
    dtype: torch.dtype
    device: torch.device


class _ActivationCalls(TorchFunctionMode):
    """Sends calls of activation functions to a handler; all other calls pass."""

    def __init__(self, handler: Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]) -> None:
        super().__init__()
        self._handler = handler

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if activations.is_activation(func):
            return self._handler(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


class _Root(torch.autograd.Function):
    """Marks a tensor as computed from `root`, so that it may be overwritten inside the graph."""

    @staticmethod
    def forward(ctx: Any, root: Tensor, x: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, None]:
        return None, None
