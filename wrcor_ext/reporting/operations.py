"""What an architecture is made of, counted: the operations of a cell, the choices of each block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wrcor_ext import spaces
from wrcor_ext.spaces import mobilenetv2_arch, nasbench101_cell, nasbench201_cell

_TIMES = "\N{MULTIPLICATION SIGN}"

# How the published names of operations read on a page.
LABELS = {
    "none": "none",
    "skip_connect": "skip",
    "nor_conv_1x1": f"conv 1{_TIMES}1",
    "nor_conv_3x3": f"conv 3{_TIMES}3",
    "avg_pool_3x3": f"pool 3{_TIMES}3",
    "conv1x1-bn-relu": f"conv 1{_TIMES}1",
    "conv3x3-bn-relu": f"conv 3{_TIMES}3",
    "maxpool3x3": f"max-pool 3{_TIMES}3",
    "input": "input",
    "output": "output",
}


def counts(space: str, text: str) -> Mapping[str, Counter[str]]:
    """By kind of choice, how often each possible one was made; all that the search draws from are there, with zeros.

    Spaces other than NAS-Bench-201, NAS-Bench-101 and MobileNetV2 have nothing to count.

    Raises:
        InputError: if the text is no architecture of the space.
    """
    if space not in _COUNTED:
        return {}
    return _COUNTED[space](spaces.get(space).parse(text))


def _edges(cell: nasbench201_cell.Cell) -> dict[str, Counter[str]]:
    return {"edges": _among(map(LABELS.__getitem__, nasbench201_cell.OPS), map(LABELS.__getitem__, cell))}


def _vertices(cell: nasbench101_cell.Cell) -> dict[str, Counter[str]]:
    ops = map(LABELS.__getitem__, cell.ops[1:-1])
    return {"vertices": _among(map(LABELS.__getitem__, nasbench101_cell.OPS), ops)}


def _blocks(arch: mobilenetv2_arch.Architecture) -> dict[str, Counter[str]]:
    return {
        "kernels": _among(
            (f"{k}{_TIMES}{k}" for k in mobilenetv2_arch.KERNELS),
            (f"{b.kernel}{_TIMES}{b.kernel}" for b in arch.blocks),
        ),
        "expansions": _among(map(str, mobilenetv2_arch.EXPANSIONS), (str(b.expansion) for b in arch.blocks)),
        "resolutions": _among(map(str, mobilenetv2_arch.RESOLUTIONS), [str(arch.resolution)]),
    }


def _among(possible: Iterable[str], made: Iterable[str]) -> Counter[str]:
    counter = Counter(dict.fromkeys(possible, 0))
    counter.update(made)
    return counter


_COUNTED: dict[str, Callable[[Any], dict[str, Counter[str]]]] = {
    "nasbench201": _edges,
    "nasbench101": _vertices,
    "mobilenetv2": _blocks,
}
