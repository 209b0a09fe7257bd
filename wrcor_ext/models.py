"""Models named by a text: of timm, of torchvision, of the user's own modules, of a search space."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import nn

from wrcor_ext import imports, spaces
from wrcor_ext.errors import InputError, in_words
from wrcor_ext.preserve import seeded
from wrcor_ext.spaces import Space
from wrcor_ext.spaces.factories import checked, fit, make

# How a specification can be written, for help texts and messages.
SYNTAX = ("timm:NAME", "torchvision:NAME", "package.module:factory", "SPACE:ARCHITECTURE")


@dataclass(frozen=True)
class NamedModel:
    """A specification that has been understood: the model exists, but has not been made.

    Attributes:
        spec: as it was written.
        random: makes the model with `num_classes` classes and random weights, from the global random state.
        pretrained: the same with published weights, or None where there are none.
        image_size: side of the images that its space is for, in pixels; None where there is no space.
    """

    spec: str
    random: Callable[[int], nn.Module]
    pretrained: Callable[[int], nn.Module] | None = None
    image_size: int | None = None

    def build(self, *, num_classes: int, seed: int, pretrained: bool = False) -> nn.Module:
        """A new model, images [B, 3, S, S] to logits [B, num_classes].

        A factory of the user's that does not take `num_classes` keeps its own number. Published weights that do not
        fit because of it, those of the classifier, stay random.

        Args:
            num_classes: width of the classifier.
            seed: of the random weights; the global random states are left untouched.
            pretrained: whether to load published weights.

        Raises:
            InputError: if it cannot be made, or the weights cannot be had.
        """
        with seeded(seed), torch.device("cpu"):
            if not pretrained:
                return self.random(num_classes)
            if self.pretrained is None:
                raise InputError("there are no pretrained weights: only models of timm and torchvision have some")
            try:
                return self.pretrained(num_classes)
            except Exception as error:  # whatever the libraries and the network below them raise
                raise InputError(f"the pretrained weights cannot be loaded: {in_words(error)}") from error


def resolve(spec: str) -> NamedModel:
    """The model that a specification names.

    Args:
        spec: `timm:resnet50`, `torchvision:resnet18`, `package.module:factory`, a space and an architecture of it
            (`nasbench201:|nor_conv_3x3~0|+...`, `package.module:space:...`).

    Raises:
        InputError: for an unknown name, the nearest ones are offered; for an architecture that is none of the space;
            for a library that is not installed.
    """
    source, _, name = spec.partition(":")
    if name and source in _LIBRARIES:
        return _LIBRARIES[source](spec, name)
    if name and source in spaces.names():
        return _of_space(spec, spaces.get(source), name)
    reference, _, architecture = name.partition(":")
    if architecture and imports.is_reference(f"{source}:{reference}"):
        return _of_space(spec, spaces.get(f"{source}:{reference}"), architecture)
    if not imports.is_reference(spec):
        raise InputError(f"model {spec!r} is not written as {', '.join(SYNTAX)} (spaces: {', '.join(spaces.names())})")
    try:
        factory = checked(imports.load(spec))
        fit(factory, {})
    except InputError as error:
        near = difflib.get_close_matches(source, (*_LIBRARIES, *spaces.names()), n=1)
        hint = f", did you mean {near[0]}:{name}?" if near else ""
        raise InputError(f"model {error}{hint}") from error
    return NamedModel(spec, lambda num_classes: make(factory, {}, num_classes, "the model"))


def _of_space(spec: str, space: Space[Any], architecture: str) -> NamedModel:
    try:
        arch = space.parse(architecture)
    except InputError as error:
        raise InputError(f"model {spec!r}: {error}") from error
    return NamedModel(
        spec, lambda num_classes: space.build(arch, num_classes=num_classes), image_size=space.default_image_size
    )


def _of_timm(spec: str, name: str) -> NamedModel:
    timm = _library("timm", spec, extra="timm")
    if not timm.is_model(name):
        raise InputError(_unknown(spec, name, timm.list_models()))

    def create(num_classes: int, *, pretrained: bool) -> nn.Module:
        model: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=num_classes)
        return model

    return NamedModel(
        spec, lambda classes: create(classes, pretrained=False), lambda classes: create(classes, pretrained=True)
    )


def _of_torchvision(spec: str, name: str) -> NamedModel:
    zoo = _library("torchvision.models", spec, extra="vision")
    names = zoo.list_models(module=zoo)
    if name not in names:
        raise InputError(_unknown(spec, name, names))

    def random(num_classes: int) -> nn.Module:
        model: nn.Module = zoo.get_model(name, weights=None, num_classes=num_classes)
        return model

    def pretrained(num_classes: int) -> nn.Module:
        published = zoo.get_model_weights(name).DEFAULT.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
        model = random(num_classes)
        shapes = {key: tensor.shape for key, tensor in model.state_dict().items()}
        fitting = {key: tensor for key, tensor in published.items() if shapes.get(key) == tensor.shape}
        model.load_state_dict(fitting, strict=False)
        return model

    return NamedModel(spec, random, pretrained)


_LIBRARIES: dict[str, Callable[[str, str], NamedModel]] = {"timm": _of_timm, "torchvision": _of_torchvision}


def _library(module: str, spec: str, *, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"model {spec!r} needs a library that cannot be imported ({error}): pip install 'wrcor_ext[{extra}]'"
        ) from error


def _unknown(spec: str, name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3)
    library = spec.partition(":")[0]
    hint = f": did you mean {' or '.join(f'{library}:{other}' for other in near)}?" if near else ""
    return f"unknown model {spec!r}{hint or f' among the {len(names)} of {library}'}"
