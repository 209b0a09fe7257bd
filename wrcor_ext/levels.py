"""Levels: which part of a network a response belongs to, counted from the input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import nn

from wrcor_ext.errors import InputError

# The published search spaces keep their blocks under one of these names; the first that exists counts.
CONTAINERS = ("cells", "layers", "block_list")

# 2^l is exact in float64 up to here, with room for the sum.
MAX_LEVELS = 1000

Levels = str | Sequence[nn.Module]


def resolve(model: nn.Module, levels: Levels = "auto") -> tuple[nn.Module, ...]:
    """The modules that open level 0, 1, ..., L-1 when the forward enters them.

    `"auto"` takes the children of `cells`, else `layers`, else `block_list`, and a `lastact` module as one level
    more. A network without any of these is cut at the children of its outermost `Sequential` and `ModuleList`
    containers, in order of registration (torchvision's ResNet-18: its eight residual blocks). Another text is the
    dotted path of a container. A sequence of modules is taken as it is. `"flat"` puts everything on level 0.

    Responses before the first of these modules belong to level 0, responses after one of them to its level.

    Raises:
        InputError: for a path that names no container, a module of another network, or over 1,000 levels.
    """
    if isinstance(levels, str):
        while isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        opening = _by_name(model, levels)
    elif not isinstance(levels, Iterable):
        raise InputError(f"levels={levels!r} is neither a text nor a sequence of modules")
    else:
        opening = tuple(levels)
        members = set(model.modules())
        foreign = [i for i, m in enumerate(opening) if m not in members]
        if foreign:
            raise InputError(f"levels[{foreign[0]}] is not a module of the model")
    if len(opening) > MAX_LEVELS:
        raise InputError(f"{len(opening)} levels are too many for weights of 2^level: at most {MAX_LEVELS}")
    return opening


def _by_name(model: nn.Module, levels: str) -> tuple[nn.Module, ...]:
    if levels == "flat":
        return ()
    if levels != "auto":
        try:
            return _children(model.get_submodule(levels))
        except (AttributeError, TypeError):
            raise InputError(
                f"levels={levels!r} names no Sequential or ModuleList of the model: "
                "allowed are 'auto', 'flat', the dotted path of a container, or a sequence of modules"
            ) from None
    for name in CONTAINERS:
        container = getattr(model, name, None)
        if isinstance(container, (nn.Sequential, nn.ModuleList)):
            last = getattr(model, "lastact", None)
            return _children(container) + ((last,) if isinstance(last, nn.Module) else ())
    return _outermost(model)


def _children(container: nn.Module) -> tuple[nn.Module, ...]:
    if not isinstance(container, (nn.Sequential, nn.ModuleList)):
        raise TypeError
    return tuple(container)


def _outermost(module: nn.Module) -> tuple[nn.Module, ...]:
    if isinstance(module, (nn.Sequential, nn.ModuleList)):
        return tuple(module)
    return tuple(block for child in module.children() for block in _outermost(child))
