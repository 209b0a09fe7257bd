"""The text form of MobileNetV2 architectures, `{stem}{block}...{block}{head}@{resolution}`, and the published names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.mobilenetv2_arch import BLOCKS, FIELDS, Architecture, Block, find_fault, part_name
from wrcor_ext.spaces.mobilenetv2_published import PUBLISHED
from wrcor_ext.spaces.quoting import quoted

DEFAULT_RESOLUTION = 224

_NUMBER = re.compile("[0-9]+")
_MOST_DIGITS = 6  # no valid number has more


@dataclass(frozen=True)
class _Form:
    """What stands around the numbers of a part, and the numbers' names."""

    text: str
    fields: tuple[str, ...]


_CONVOLUTION_FIELDS = ("input width", "output width", "stride", "number of layers")
_STEM = _Form("SuperConvK3BNRELU({},{},{},{})", _CONVOLUTION_FIELDS)
_BLOCK = _Form("SuperResIDWE{}K{}({},{},{},{},{})", tuple(name for name, _ in FIELDS))
_HEAD = _Form("SuperConvK1BNRELU({},{},{},{})", _CONVOLUTION_FIELDS)
_END = _Form("@{}", ("resolution",))


def format_architecture(arch: Architecture) -> str:
    """The text of a valid architecture."""
    stem = _STEM.text.format(3, arch.stem, 2, 1)
    blocks = (
        _BLOCK.text.format(b.expansion, b.kernel, b.in_width, b.out_width, b.stride, b.bottleneck, b.layers)
        for b in arch.blocks
    )
    head = _HEAD.text.format(arch.blocks[-1].out_width, arch.head, 1, 1)
    return f"{stem}{''.join(blocks)}{head}{_END.text.format(arch.resolution)}"


def parse_architecture(text: str) -> Architecture:
    """The architecture of a text or of a published name; either may lack `@` and the resolution.

    Raises:
        InputError: for anything else; it names the offending part and its position, counted from 1.
    """
    if not isinstance(text, str):
        raise InputError(f"a MobileNetV2 architecture is a text, not {quoted(text)}")
    name, at, rest = text.partition("@")
    if name not in PUBLISHED and not name.startswith("Super"):
        raise InputError(
            f"malformed MobileNetV2 architecture {quoted(text)} at character 1: {quoted(name)} neither begins with "
            f"'SuperConvK3BNRELU(' nor is one of {', '.join(PUBLISHED)}"
        )
    parts, resolution = PUBLISHED.get(name, (name, DEFAULT_RESOLUTION))
    reader = _Reader(f"{parts}{at}{rest}", given=text)
    stem = reader.read(_STEM, 0)
    blocks = tuple(Block(*reader.read(_BLOCK, part)) for part in range(1, BLOCKS + 1))
    head = reader.read(_HEAD, BLOCKS + 1)
    if not reader.at_end():
        (resolution,) = reader.read(_END, BLOCKS + 2)
        reader.expect_end()
    arch = Architecture(stem[1], blocks, head[1], resolution)
    fault = find_fault(arch)
    if fault is not None:
        raise reader.malformed(reader.where[fault.part, fault.field], str(fault))
    reader.expect(_STEM, 0, stem, (3, arch.stem, 2, 1))
    reader.expect(_HEAD, BLOCKS + 1, head, (blocks[-1].out_width, arch.head, 1, 1))
    return arch


class _Reader:
    """Reads a text part by part.

    Args:
        text: what is read.
        given: what messages quote: ends like `text`, but may have a name in place of the beginning.

    Attributes:
        where: (part, field) to the offset of every number read.
    """

    def __init__(self, text: str, *, given: str) -> None:
        self.where: dict[tuple[int, str], int] = {}
        self._text = text
        self._given = given
        self._at = 0

    def read(self, form: _Form, part: int) -> tuple[int, ...]:
        """The numbers of the next part, which must have this form."""
        literals = form.text.split("{}")
        numbers = []
        for literal, field in zip(literals[:-1], form.fields, strict=True):
            self._skip(literal, part)
            self.where[part, field] = self._at
            numbers.append(self._number(part, field))
        self._skip(literals[-1], part)
        return tuple(numbers)

    def expect(self, form: _Form, part: int, numbers: tuple[int, ...], expected: tuple[int, ...]) -> None:
        """Checks the numbers of a part, of which the first that differs is the offending one."""
        for field, number, allowed in zip(form.fields, numbers, expected, strict=True):
            if number != allowed:
                what = f"{part_name(part)}: {field} {number} is not allowed: allowed is {allowed}"
                raise self.malformed(self.where[part, field], what)

    def at_end(self) -> bool:
        return self._at == len(self._text)

    def expect_end(self) -> None:
        if not self.at_end():
            raise self.malformed(self._at, f"{quoted(self._text[self._at :])} follows the end")

    def malformed(self, offset: int, what: str) -> InputError:
        position = offset + len(self._given) - len(self._text) + 1
        return InputError(f"malformed MobileNetV2 architecture {quoted(self._given)} at character {position}: {what}")

    def _skip(self, literal: str, part: int) -> None:
        if not self._text.startswith(literal, self._at):
            found = quoted(self._text[self._at : self._at + len(literal)])
            raise self.malformed(self._at, f"{part_name(part)}: {found} in place of {literal!r}")
        self._at += len(literal)

    def _number(self, part: int, field: str) -> int:
        match = _NUMBER.match(self._text, self._at)
        digits = match.group() if match else ""
        if not digits or len(digits) > _MOST_DIGITS or (digits[0] == "0" and digits != "0"):
            found = quoted(digits or self._text[self._at : self._at + 12])
            raise self.malformed(self._at, f"{part_name(part)}: {field} {found} is not a number of 1 to 6 digits")
        self._at += len(digits)
        return int(digits)
