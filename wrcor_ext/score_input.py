"""What `score` accepts: each check refuses in one sentence, before the model is touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from wrcor_ext import proxies as registry
from wrcor_ext.errors import InputError, LabelError
from wrcor_ext.ops.checks import MAX_ROWS
from wrcor_ext.recorder import RULES
from wrcor_ext.votes.expression import is_vote, parse

# One row of the ops per image.
MAX_IMAGES = MAX_ROWS

Tail = int | Literal["auto"] | None
ClassRange = tuple[int, int]
Amp = Literal["float16", "bfloat16"] | None
AMP_TYPES = ("bfloat16", "float16")


def proxy_names(proxies: Sequence[str]) -> Sequence[str]:
    """The canonical names of the proxies asked for; a single one may be given as a text."""
    if isinstance(proxies, str):
        proxies = (proxies,)
    if not proxies:
        raise InputError(f"no proxy asked for: known are {', '.join(registry.names())}")
    return [proxy_name(name) for name in proxies]


def proxy_name(name: str) -> str:
    """The canonical name of a proxy; a vote is refused, for one network alone has no rank."""
    if is_vote(name) and registry.canonical_name(name) is None:
        members = ", ".join(parse(name).proxies)
        raise InputError(f"{name!r} compares networks: score its members ({members}) and call wrcor_ext.vote")
    return registry.get(name).name


def check_options(rule: str, tail: Tail, seed: int, amp: Amp) -> None:
    """Refuses a rule, a tail, a seed or a precision that means nothing."""
    if rule not in RULES:
        raise InputError(f"unknown rule {rule!r}: allowed are {' and '.join(map(repr, RULES))}")
    if tail is not None and tail != "auto" and (type(tail) is not int or tail < 1):
        raise InputError(f"tail={tail!r} keeps no level: allowed are 'auto', a number of levels from 1 on, or None")
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise InputError(f"seed={seed!r} is not a whole number from 0 to 2**63 - 1")
    if amp is not None and amp not in AMP_TYPES:
        raise InputError(f"amp={amp!r} is unknown: allowed are {', '.join(map(repr, AMP_TYPES))} and None")


def check_model(model: nn.Module) -> None:
    """Refuses what cannot be looked into, has no parameters to work with yet, or none that autograd may look at."""
    if not isinstance(model, nn.Module):
        raise InputError(f"model is {type(model).__name__}, not a torch.nn.Module")
    if isinstance(model, torch.jit.ScriptModule) or hasattr(model, "_orig_mod"):  # of torch.compile
        raise InputError(f"model is a {type(model).__name__}: give the module that was scripted or compiled")
    devices = dict.fromkeys(str(tensor.device) for tensor in (*model.parameters(), *model.buffers()))
    if len(devices) > 1:
        raise InputError(f"model lies on {' and '.join(devices)}: put all of it on one device")
    for name, parameter in model.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            raise InputError(f"parameter {name} has no size yet: call the model once before it is scored")
        if parameter.is_inference():
            raise InputError(f"parameter {name} was made under torch.inference_mode: make the model outside of it")


def check_batch(images: Tensor, labels: Tensor | None, labelled: Sequence[str], *, classes: bool = True) -> None:
    """Refuses a batch that cannot be correlated, or labels that do not belong to it.

    Args:
        images: of the batch.
        labels: likewise.
        labelled: names of the proxies asked for that need labels.
        classes: whether labels [N] have to be class indices; the caller's own loss may take other numbers.
    """
    if not isinstance(images, Tensor):
        raise InputError(f"images are {type(images).__name__}, not a tensor [N, ...]")
    if images.dim() < 2:
        raise InputError(f"images of shape {tuple(images.shape)} are no batch: expected [N, ...]")
    if not 2 <= images.shape[0] <= MAX_IMAGES:
        raise InputError(f"a batch of {images.shape[0]} cannot be correlated: 2 to {MAX_IMAGES} images are needed")
    if images.dtype in (torch.uint8, torch.bool):
        raise InputError(f"images are {images.dtype}: convert them to float32 and normalise them")
    if images.is_floating_point() and not bool(torch.isfinite(images).all()):
        bad = int((~torch.isfinite(images.flatten(1))).any(1).nonzero()[0])
        raise InputError(f"image {bad} holds NaN or infinite values")
    if labels is None:
        if labelled:
            verb = "needs" if len(labelled) == 1 else "need"
            raise InputError(f"labels are missing: {', '.join(labelled)} {verb} one class index per image")
        return
    if not isinstance(labels, Tensor):
        raise InputError(f"labels are {type(labels).__name__}, not a tensor [N]")
    if labels.shape[:1] != images.shape[:1]:
        raise InputError(f"{images.shape[0]} images but labels of shape {tuple(labels.shape)}: one label per image")
    if classes and labels.dim() == 1 and (labels.is_floating_point() or labels.dtype == torch.bool):
        raise InputError(f"labels are {labels.dtype}: class indices are whole numbers")


def class_range(labels: Tensor | None) -> ClassRange | None:
    """The lowest and the highest of class indices [N]; None for anything else.

    Looked up before the first forward: reading a label makes the host wait for a GPU.
    """
    if labels is None or labels.dim() != 1 or labels.is_floating_point():
        return None
    low, high = torch.aminmax(labels)
    return int(low), int(high)


def check_classes(logits: Tensor, classes: ClassRange | None) -> None:
    """Refuses class indices that the logits [N, classes] do not have."""
    if logits.dim() != 2 or classes is None:
        return  # cross_entropy has other uses (probabilities as labels, dense prediction) and its own checks
    low, high = classes
    if low < 0 or high >= logits.shape[1]:
        wrong = low if low < 0 else high
        raise LabelError(f"label {wrong} is out of range: the model has classes 0 to {logits.shape[1] - 1}")


def device_of(model: nn.Module) -> torch.device | None:
    """The device that a model wants its images on; None for one without floating-point parameters."""
    parameter = _first_parameter(model)
    return None if parameter is None else parameter.device


def _first_parameter(model: nn.Module) -> Tensor | None:
    return next((p for p in model.parameters() if p.is_floating_point()), None)


def placed(model: nn.Module, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Images and labels where, and images in what type, the model's parameters are; whole-number labels as int64.

    Nothing of it is the caller's memory: a model may begin by overwriting its input, and what was made under
    `torch.inference_mode` cannot take part in a graph.
    """
    images = images.detach().clone()
    parameter = _first_parameter(model)
    if parameter is not None:
        images = images.to(parameter.device, parameter.dtype if images.is_floating_point() else None)
        labels = None if labels is None else labels.to(parameter.device)
    if labels is not None:
        labels = labels.clone() if labels.is_floating_point() else labels.long().clone()
    return images, labels
