"""The MobileNetV2 space as the independent choices that a draw makes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.encoding import Codes, Encoding, Variable
from wrcor_ext.spaces.mobilenetv2_arch import BLOCKS, Architecture, check_architecture
from wrcor_ext.spaces.mobilenetv2_draw import CHOICES, STRIDED, Draws

_PER_BLOCK = ("bottleneck", "layers", "expansion", "kernel")
_NAMES = (
    *(f"width_{part}" for part in range(BLOCKS + 2)),
    *(f"{field}_{block}" for field in _PER_BLOCK for block in range(1, BLOCKS + 1)),
    "resolution",
    "strides",
)
_RESOLUTION = _NAMES.index("resolution")

# What each index into CHOICES is called; of the strides, the blocks that have stride 2.
_LABELS = (
    *(tuple(map(str, choices)) for choices in CHOICES[:-1]),
    tuple("+".join(str(block + 1) for block in strided) for strided in STRIDED),
)
_VARIABLES = tuple(
    Variable(name, labels, STRIDED if name == "strides" else ()) for name, labels in zip(_NAMES, _LABELS, strict=True)
)
_CODES = tuple({value: code for code, value in enumerate(choices)} for choices in (*CHOICES[:-1], STRIDED))


class NetworkEncoding(Encoding[Architecture]):
    """Widths c0 to c8, then bottlenecks, layers, expansions and kernels of blocks 1 to 7, resolution, strides.

    The strides are one variable, a set of four blocks: its choices `1+3+4+6` name the blocks of stride 2.

    Args:
        resolution: of all networks, which leaves that variable out; None has it chosen.
    """

    def __init__(self, resolution: int | None = None) -> None:
        self._resolution = resolution
        self.variables = tuple(v for v in _VARIABLES if resolution is None or v.name != "resolution")

    def encode(self, arch: Architecture) -> Codes:
        """The codes of an architecture.

        Raises:
            InputError: for a value that is none, or one outside the ranges that a search draws from, as some of the
                published ones are.
        """
        check_architecture(arch)
        blocks = arch.blocks
        values = (
            (arch.stem, *(block.out_width for block in blocks), arch.head),
            *(tuple(getattr(block, field) for block in blocks) for field in _PER_BLOCK),
            (arch.resolution, tuple(place for place, block in enumerate(blocks) if block.stride == 2)),
        )
        codes = []
        for place, value in enumerate(value for group in values for value in group):
            if place == _RESOLUTION and self._resolution is not None:
                if value != self._resolution:
                    raise InputError(f"resolution {value} of the architecture: the space has {self._resolution} only")
                continue
            if value not in _CODES[place]:
                raise InputError(
                    f"{_NAMES[place]} {value} of the architecture is outside what a search draws from: "
                    f"{', '.join(_LABELS[place])}"
                )
            codes.append(_CODES[place][value])
        return tuple(codes)

    def _decode(self, codes: Sequence[int]) -> Architecture:
        indices = list(codes)
        if self._resolution is not None:
            indices.insert(_RESOLUTION, 0)
        return Draws.chosen(np.array([indices]), self._resolution).architecture(0)
