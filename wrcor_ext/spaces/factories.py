"""Factories: the user's functions and classes that make a network."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wrcor_ext.errors import InputError, in_words
from wrcor_ext.spaces.quoting import quoted

if TYPE_CHECKING:
    from torch import nn

Factory = Callable[..., "nn.Module"]


def make(factory: Factory, arguments: Mapping[str, Any], num_classes: int, title: str) -> nn.Module:
    """What `factory` makes, given `num_classes` too if it takes that.

    Raises:
        InputError: if it raises, or returns no module; the message begins with `title`.
    """
    from torch import nn

    try:
        model = factory(**_with_classes(factory, arguments, num_classes))
    except Exception as error:  # a factory is foreign code: whatever it raises, it made no network
        raise InputError(f"{title} cannot be built: {in_words(error)}") from error
    if not isinstance(model, nn.Module):
        raise InputError(f"{title} cannot be built: the factory returned {quoted(model)}, not a torch.nn.Module")
    return model


def checked(factory: object) -> Factory:
    """`factory`, if it can be one.

    Raises:
        InputError: for a model itself, and for what cannot be called.
    """
    from torch import nn

    if isinstance(factory, nn.Module) or not callable(factory):
        shown = f"a {type(factory).__name__} object" if isinstance(factory, nn.Module) else quoted(factory)
        raise InputError(f"{shown} is no factory: a function or class that returns a new model is needed")
    return factory


def fit(factory: Factory, arguments: Mapping[str, Any]) -> None:
    """Checks that `factory` can be called with these arguments, without calling it.

    Raises:
        InputError: if one is missing or unknown.
    """
    try:
        inspect.signature(factory).bind(**_with_classes(factory, arguments, 2))
    except TypeError as error:
        raise InputError(
            f"{_shown(factory)} cannot be called with {', '.join(arguments) or 'nothing'}: {error}"
        ) from None


def by_name(factories: Iterable[Factory]) -> dict[str, Factory]:
    """Factories by their own names.

    Raises:
        InputError: for one that has no name, or that of another.
    """
    named: dict[str, Factory] = {}
    for factory in factories:
        name = called(checked(factory))
        if name in named:
            raise InputError(f"two models are called {name!r}: give a dictionary of names and factories")
        named[name] = factory
    return named


def called(factory: Factory) -> str:
    """The name of a function or class.

    Raises:
        InputError: for a lambda, and for objects without a name.
    """
    name = getattr(factory, "__name__", "<lambda>")
    if name == "<lambda>":
        raise InputError(f"{quoted(factory)} has no name: give a dictionary of names and factories")
    return str(name)


def _shown(factory: Factory) -> str:
    return getattr(factory, "__name__", None) or quoted(factory)


def _with_classes(factory: Factory, arguments: Mapping[str, Any], num_classes: int) -> dict[str, Any]:
    return {**arguments, "num_classes": num_classes} if _takes_classes(factory) else dict(arguments)


def _takes_classes(factory: Factory) -> bool:
    from torch import nn

    if getattr(factory, "__init__", None) is nn.Module.__init__:
        return False  # a class without arguments: nn.Module's own signature takes any, and refuses them then
    parameters = inspect.signature(factory).parameters.values()
    return any(p.name == "num_classes" or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
