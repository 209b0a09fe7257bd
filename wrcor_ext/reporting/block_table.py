"""A MobileNetV2 architecture as a drawing: one row per block, one square per layer."""

from __future__ import annotations

from wrcor_ext.reporting import shapes
from wrcor_ext.reporting.picture import Picture
from wrcor_ext.spaces.mobilenetv2_arch import Architecture

WIDTH = 420
_ROW = 28
_TOP = 40
# Right ends of the columns of numbers, and the strip of squares between them.
_COLUMNS = {"kernel": 104, "expand": 156, "inner": 298, "width": 350, "side": 406}
_LAYERS = (176, 254)
_SQUARE = 12.0
_KERNEL_STYLES = {3: "conv3", 5: "conv5", 7: "pool"}


def picture(arch: Architecture) -> Picture:
    """The drawing of a valid architecture.

    Columns: kernel of the depthwise convolutions, expansion, layers, channels inside and at the output, and the side in
    pixels of what comes out. The first square of a block that halves the side is hollow. Colours tell kernels apart.
    """
    title = (
        f"MobileNetV2 of resolution {arch.resolution}, {sum(block.layers for block in arch.blocks)} layers in 7 blocks"
    )
    parts = [shapes.text(right, _TOP - 16, name, "soft", "end") for name, right in _COLUMNS.items()]
    parts.append(shapes.text(_LAYERS[0], _TOP - 16, "layers", "soft", "start"))
    side = arch.resolution // 2
    rows = [_row(0, "stem", kernel="3", width=arch.stem, side=side, layers=1, css="conv3", halves=True)]
    for number, block in enumerate(arch.blocks, start=1):
        side //= block.stride
        rows.append(
            _row(
                number,
                f"block {number}",
                kernel=str(block.kernel),
                expand=str(block.expansion),
                inner=str(block.inner_width),
                width=block.out_width,
                side=side,
                layers=block.layers,
                css=_KERNEL_STYLES[block.kernel],
                halves=block.stride == 2,
            )
        )
    rows.append(_row(len(rows), "head", kernel="1", width=arch.head, side=side, layers=1, css="conv1", halves=False))
    return Picture(WIDTH, _TOP + len(rows) * _ROW + 8, title, "".join((*parts, *rows)))


def _row(number: int, name: str, *, width: int, side: int, layers: int, css: str, halves: bool, **numbers: str) -> str:
    top = _TOP + number * _ROW
    baseline = top + _ROW / 2 - 1.5
    parts = [
        f'<line class="rule" x1="14" x2="{WIDTH - 14}" y1="{top - 6}" y2="{top - 6}"/>',
        shapes.text(14, baseline, name, "label strong", "start"),
    ]
    for column, value in (*numbers.items(), ("width", str(width)), ("side", str(side))):
        shown = f"{value}\N{MULTIPLICATION SIGN}{value}" if column == "kernel" else value
        parts.append(shapes.text(_COLUMNS[column], baseline, shown, "label", "end"))
    left, right = _LAYERS
    pitch = min(_SQUARE + 3, (right - left) / layers)
    size = pitch * _SQUARE / (_SQUARE + 3)
    for layer in range(layers):
        style = f"box {css}" if halves and layer == 0 else f"fill {css}"
        inset = 0.8 if halves and layer == 0 else 0.0  # a stroke is drawn half outside
        parts.append(
            f'<rect class="{style}" x="{left + layer * pitch + inset:.1f}" y="{baseline - 4.5 - size / 2 + inset:.1f}" '
            f'width="{size - 2 * inset:.1f}" height="{size - 2 * inset:.1f}" rx="1.5"/>'
        )
    return "".join(parts)
