"""The networks of the three spaces, from what published scripts describe them by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from wrcor_ext import spaces
from wrcor_ext.errors import InputError


def nasbench101(
    spec: Any,
    stem_out: int = 128,
    num_stacks: int = 3,
    num_mods: int = 3,
    num_classes: int = 10,
) -> nn.Module:
    """The network of a NAS-Bench-101 cell, images [B, 3, S, S] to logits.

    Args:
        spec: with `matrix` and `ops` as attributes or keys, or a pair of them, as the benchmark's `ModelSpec` has them.
        stem_out: channels of the stem.
        num_stacks: stacks of cells.
        num_mods: cells in each stack.
        num_classes: width of the classifier.

    Raises:
        InputError: for anything else.
    """
    matrix, ops = spec if isinstance(spec, tuple) else (_entry(spec, "matrix"), _entry(spec, "ops"))
    space = spaces.get("nasbench101", stem_width=stem_out, stacks=num_stacks, cells_per_stack=num_mods)
    cell = space.parse(json.dumps({"matrix": np.asarray(matrix).tolist(), "ops": list(ops)}))
    return space.build(cell, num_classes=num_classes)


def nasbench201(
    config: Any,
    num_classes: int | None = None,
    use_bn: bool = True,
    init_channels: int | None = None,
    num_cells: int | None = None,
) -> nn.Module:
    """The network of a NAS-Bench-201 cell, images [B, 3, S, S] to logits.

    Args:
        config: the official string, or what `get_net_config` of the benchmark gives: `arch_str`, and maybe `C`, `N` and
            `num_classes`, as keys or attributes.
        num_classes: width of the classifier; that of the configuration, or 10, if None.
        use_bn: False leaves every batch-norm out.
        init_channels: C; that of the configuration, or 16, if None.
        num_cells: N; that of the configuration, or 5, if None.

    Raises:
        InputError: for anything else.
    """
    text = config if isinstance(config, str) else _entry(config, "arch_str")
    space = spaces.get(
        "nasbench201",
        stem_width=_first(init_channels, _entry(config, "C", 16)),
        cells_per_stage=_first(num_cells, _entry(config, "N", 5)),
        batch_norm=use_bn,
    )
    return space.build(space.parse(text), num_classes=_first(num_classes, _entry(config, "num_classes", 10)))


def mobilenetv2(structure: str, num_classes: int = 1000, resolution: int | None = None) -> nn.Module:
    """The network of a block string or of a published name, images [B, 3, S, S] to logits.

    Args:
        structure: as `wrcor_ext.spaces.MobileNetV2.parse` reads it.
        num_classes: width of the classifier.
        resolution: that the network resizes its images to; that of the text, or 224, if None.

    Raises:
        InputError: for anything else.
    """
    space = spaces.get("mobilenetv2")
    text = structure if resolution is None else f"{structure.partition('@')[0]}@{resolution}"
    return space.build(space.parse(text), num_classes=num_classes)


def smart_round(x: float, base: int | None = None) -> int:
    """A number of channels rounded to a multiple of `base`, at least one of them.

    Without a base it is 8 up to 128 channels, 16 up to 256 and 32 beyond.
    """
    if base is None:
        base = 8 if x <= 128 else 16 if x <= 256 else 32
    return max(1, round(x / base)) * base


def _first(given: int | None, otherwise: int) -> int:
    return otherwise if given is None else given


_NOTHING = object()


def _entry(holder: object, name: str, default: Any = _NOTHING) -> Any:
    """An attribute or a key, whichever there is."""
    found = holder.get(name, default) if isinstance(holder, Mapping) else getattr(holder, name, default)
    if found is _NOTHING:
        raise InputError(f"{type(holder).__name__} has no {name!r}: it describes no network")
    return found
