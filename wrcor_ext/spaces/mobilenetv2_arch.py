"""Architectures of the MobileNetV2 space: what they hold, what makes one valid, and the ranges a search draws from.

Validity is wider than the ranges: the published architectures made by hand or by other searches lie outside them, and
can be built, scored and mutated all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.quoting import quoted

BLOCKS = 7
STRIDED_BLOCKS = 4

# What a search draws from; a range includes its end, as the paper writes it.
EXPANSIONS = (1, 2, 4, 6)
KERNELS = (3, 5, 7)
RESOLUTIONS = tuple(range(192, 321, 32))


def _steps(low: int, high: int, step: int) -> tuple[int, ...]:
    return tuple(range(low, high + 1, step))


# c0 (stem), c1 to c7 (outputs of the blocks), c8 (head).
WIDTHS = (
    *[_steps(16, 48, 8)] * 3,
    _steps(32, 64, 8),
    _steps(48, 96, 8),
    *[_steps(80, 256, 8)] * 2,
    _steps(128, 512, 8),
    _steps(128, 1536, 8),
)
BOTTLENECKS = (*[_steps(16, 48, 8)] * 3, _steps(32, 64, 8), _steps(48, 96, 8), *[_steps(80, 256, 8)] * 2)
LAYERS = ((1, 2), (2, 3), (2, 3), (2, 3, 4), (2, 3, 4, 5, 6), (2, 3, 4, 5, 6), (1, 2))

# What is valid: bounds that keep a mistyped digit from asking for terabytes.
_WIDTH = range(8, 4097, 8)
VALID_RESOLUTIONS = range(32, 1025, 32)  # five halvings end at a whole number of pixels

# The fields of a block in the order of its text, and their valid values.
FIELDS: tuple[tuple[str, Sequence[int]], ...] = (
    ("expansion", EXPANSIONS),
    ("kernel", KERNELS),
    ("input width", _WIDTH),
    ("output width", _WIDTH),
    ("stride", (1, 2)),
    ("bottleneck", range(4, 4097, 4)),  # zennet_400m has 244
    ("number of layers", range(1, 33)),
)


@dataclass(frozen=True)
class Block:
    """One of the seven blocks, `SuperResIDWE{expansion}K{kernel}(in_width,out_width,stride,bottleneck,layers)`.

    Attributes:
        expansion: e; the inner layers are bottleneck * e channels wide.
        kernel: side of the depthwise kernels.
        in_width: channels of the input: the output width of what comes before.
        out_width: channels of the output.
        stride: 1, or 2 in the first layer.
        bottleneck: channels before expansion.
        layers: number of layers.
    """

    expansion: int
    kernel: int
    in_width: int
    out_width: int
    stride: int
    bottleneck: int
    layers: int

    @property
    def inner_width(self) -> int:
        """Channels of the depthwise convolution: bottleneck * expansion, to the nearest multiple of 8."""
        return max(8, (self.bottleneck * self.expansion + 4) // 8 * 8)

    @property
    def squeezed_width(self) -> int:
        """Channels inside squeeze-excite."""
        return self.inner_width // 4


@dataclass(frozen=True)
class Architecture:
    """A network of the space.

    Attributes:
        stem: c0, channels of the stem, a 3 x 3 convolution of stride 2.
        blocks: seven; each starts with the width where the one before ends, and exactly four have stride 2.
        head: c8, channels of the head, a 1 x 1 convolution.
        resolution: side in pixels that images are resized to.
    """

    stem: int
    blocks: tuple[Block, ...]
    head: int
    resolution: int


@dataclass(frozen=True)
class Fault:
    """What is wrong with an architecture, and where.

    Attributes:
        part: 0 the stem, 1 to 7 the blocks, 8 the head, 9 the resolution.
        field: name as in `FIELDS`, or "resolution".
        message: names the offending value and the allowed ones.
    """

    part: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{part_name(self.part)}: {self.field} {self.message}"


def part_name(part: int) -> str:
    """How messages call a part, for the numbers of `Fault.part`."""
    return {0: "stem", BLOCKS + 1: "head", BLOCKS + 2: "end"}.get(part, f"block {part}")


def find_fault(arch: Architecture) -> Fault | None:
    """The first fault from left to right, or None for a valid architecture; `arch.blocks` holds seven blocks."""
    return next(_faults(arch), None)


def check_architecture(arch: object) -> None:
    """Checks that a value is a valid architecture.

    Raises:
        InputError: if not; it names the offending part.
    """
    if not isinstance(arch, Architecture):
        raise InputError(f"{quoted(arch)} is not a MobileNetV2 architecture: `parse` makes one of a text")
    blocks: object = arch.blocks
    if not isinstance(blocks, tuple) or len(blocks) != BLOCKS or not all(isinstance(b, Block) for b in blocks):
        raise InputError(f"{quoted(blocks)} are not the blocks of a MobileNetV2 architecture: a tuple of {BLOCKS}")
    fault = find_fault(arch)
    if fault is not None:
        raise InputError(f"invalid MobileNetV2 architecture: {fault}")


_numbers = attrgetter(*Block.__dataclass_fields__)


def _faults(arch: Architecture) -> Iterator[Fault]:
    if not _allowed(arch.stem, _WIDTH):
        yield _not_allowed(0, "output width", arch.stem, _WIDTH)
    before, strided = arch.stem, 0
    for part, block in enumerate(arch.blocks, start=1):
        for (field, allowed), value in zip(FIELDS, _numbers(block), strict=True):
            if not _allowed(value, allowed):
                yield _not_allowed(part, field, value, allowed)
        if block.in_width != before:
            before_name = "the stem" if part == 1 else part_name(part - 1)
            yield Fault(part, "input width", f"{block.in_width} is not {before}, the output width of {before_name}")
        before = block.out_width
        strided += block.stride == 2
        if strided > STRIDED_BLOCKS:
            yield Fault(part, "stride", f"2 is one too many: exactly {STRIDED_BLOCKS} blocks have it")
    if strided < STRIDED_BLOCKS:
        yield Fault(BLOCKS, "stride", f"2 is in {strided} blocks up to here: exactly {STRIDED_BLOCKS} have it")
    if not _allowed(arch.head, _WIDTH):
        yield _not_allowed(BLOCKS + 1, "output width", arch.head, _WIDTH)
    if not _allowed(arch.resolution, VALID_RESOLUTIONS):
        yield _not_allowed(BLOCKS + 2, "resolution", arch.resolution, VALID_RESOLUTIONS)


def _allowed(value: object, values: Sequence[int]) -> bool:
    return type(value) is int and value in values


def _not_allowed(part: int, field: str, value: object, allowed: Sequence[int]) -> Fault:
    values = ", ".join(map(str, allowed))
    if isinstance(allowed, range):
        steps = "whole numbers" if allowed.step == 1 else f"multiples of {allowed.step}"
        values = f"{steps} from {allowed[0]} to {allowed[-1]}"
    return Fault(part, field, f"{quoted(value)} is not allowed: allowed are {values}")
