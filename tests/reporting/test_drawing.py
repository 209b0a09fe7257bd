"""Drawings of architectures: what is drawn is the architecture, and nothing covers anything else."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.reporting import block_table, drawing, graph_layout, shapes, vertex_cell
from wrcor_ext.reporting import draw as draw_architecture
from wrcor_ext.spaces.nasbench101_cell import Cell

SVG = "{http://www.w3.org/2000/svg}"
EDGES = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
DENSE = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"
WIDEST = Cell(((0, 1, 1, 1, 1, 0), *[(0, 0, 0, 0, 0, 1)] * 4, (0,) * 6), ("input", *["maxpool3x3"] * 4, "output"))
STRAIGHT = Cell(((0, 1), (0, 0)), ("input", "output"))


def cells(count):
    space, rng = spaces.get("nasbench101"), np.random.default_rng(7)
    return [STRAIGHT, WIDEST, *(space.sample(rng) for _ in range(count))]


def drawn(arch, space=None):
    return ElementTree.fromstring(draw_architecture(arch, space))


def with_class(root, tag, name):
    return [element for element in root.iter(SVG + tag) if name in element.get("class", "").split()]


def numbers(element, *names):
    return [float(element.get(name)) for name in names]


def text_extents(element):
    """Left, right, top and bottom of a text, by the same careful estimate of its width that drawings use."""
    (x, y), width = numbers(element, "x", "y"), shapes.text_width(element.text)
    left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[element.get("text-anchor")] * width
    return left, left + width, y - shapes.TEXT_SIZE * 0.75, y + shapes.TEXT_SIZE * 0.25


def boxes(root):
    """Label -> left, right, top and bottom; and that each box holds one label."""
    found = []
    labels = with_class(root, "text", "label")
    for rect in with_class(root, "rect", "box"):
        x, y, width, height = numbers(rect, "x", "y", "width", "height")
        inside = [t for t in labels if x <= float(t.get("x")) <= x + width and y <= float(t.get("y")) <= y + height]
        assert len(inside) == 1
        left, right, top, bottom = text_extents(inside[0])
        assert x < left < right < x + width, inside[0].text
        assert y < top < bottom < y + height
        found.append((inside[0].text, (x, x + width, y, y + height)))
    assert len(found) == len(labels)
    return found


def points(path):
    """Points along a path of M, C and V."""
    (x, y), *rest = [
        (letter, [float(v) for v in values.split()]) for letter, values in re.findall(r"([MCV])([^MCV]*)", path)
    ]
    assert x == "M"
    (a, b), along = y, [tuple(y)]
    for letter, values in rest:
        if letter == "V":
            along += [(a, b + t * (values[0] - b)) for t in np.linspace(0, 1, 9)]
            b = values[0]
            continue
        p = np.array([(a, b), values[:2], values[2:4], values[4:]])
        for t in np.linspace(0, 1, 17):
            along.append(tuple(p.T @ [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]))
        a, b = values[4:]
    return along


@pytest.mark.parametrize("text", [EDGES, DENSE, "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"])
def test_an_edge_cell_shows_every_operation_on_its_edge(text):
    root = drawn(text, "nasbench201")
    shown = [t.text for t in with_class(root, "text", "label") if "strong" not in t.get("class")]
    names = {"nor_conv_3x3": "conv 3x3", "nor_conv_1x1": "conv 1x1", "avg_pool_3x3": "pool 3x3", "skip_connect": "skip"}
    ops = [names[op] for op in re.findall(r"(\w+)~", text) if op != "none"]
    assert [label.replace("\N{MULTIPLICATION SIGN}", "x") for label in shown] == ops
    assert len(with_class(root, "path", "edge")) == len(with_class(root, "path", "tip")) == len(ops)
    assert [t.text for t in with_class(root, "text", "strong")] == ["in", "1", "2", "out"]
    assert ("no path from in to out" in [t.text for t in root.iter(SVG + "text")]) == (not ops)


def test_labels_of_an_edge_cell_cover_neither_nodes_nor_each_other():
    root = drawn(DENSE, "nasbench201")
    labels = [text_extents(t) for t in with_class(root, "text", "label") if "strong" not in t.get("class")]
    assert len(labels) == 6
    nodes = [
        (x - r, x + r, y - r, y + r) for x, y, r in (numbers(c, "cx", "cy", "r") for c in root.iter(SVG + "circle"))
    ]
    for one, other in (*combinations(labels, 2), *((label, node) for label in labels for node in nodes)):
        assert not overlap(one, other)
    width, height = map(float, root.get("viewBox").split()[2:])
    assert all(left > 0 and right < width and top > 0 and bottom < height for left, right, top, bottom in labels)


def overlap(a, b):
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


def test_an_edge_on_no_path_is_faint():
    root = drawn("|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|", "nasbench201")
    faint = {e.get("class"): "unused" in e.get("class") for e in with_class(root, "path", "edge")}
    assert faint == {"edge conv3 unused": True, "edge skip": False}


@pytest.mark.parametrize("cell", cells(25), ids=lambda cell: f"{len(cell.ops)}-{sum(map(sum, cell.matrix))}")
def test_a_vertex_cell_shows_its_graph_and_no_edge_touches_a_box(cell):
    root = drawn(cell)
    found = boxes(root)
    assert [label.replace("\N{MULTIPLICATION SIGN}", "x") for label, _ in found] == [
        {"conv3x3-bn-relu": "conv 3x3", "conv1x1-bn-relu": "conv 1x1", "maxpool3x3": "max-pool 3x3"}.get(op, op)
        for op in cell.ops
    ]
    assert not any(overlap(a, b) for (_, a), (_, b) in combinations(found, 2))
    width, height = map(float, root.get("viewBox").split()[2:])
    edges = set()
    for path in with_class(root, "path", "edge"):
        along = points(path.get("d"))
        assert all(0 < x < width and 0 < y < height for x, y in along)
        start = next(i for i, (_, b) in enumerate(found) if b[0] < along[0][0] < b[1] and abs(along[0][1] - b[3]) < 0.1)
        end = next(i for i, (_, b) in enumerate(found) if b[0] < along[-1][0] < b[1] and 0 < b[2] - along[-1][1] < 6)
        edges.add((start, end))
        for _, (left, right, top, bottom) in found:
            assert not any(left < x < right and top < y < bottom - 0.1 for x, y in along)
    assert edges == {(s, t) for s, row in enumerate(cell.matrix) for t, edge in enumerate(row) if edge}


def test_a_planar_graph_is_laid_out_without_crossings():
    edges = [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4), (0, 4), (4, 5), (0, 5)]
    found = graph_layout.layout(edges, 100.0)
    assert found.row == {0: 0, 1: 1, 2: 2, 3: 2, 4: 3, 5: 4}
    height = {item: found.row[item[0]] if len(item) == 1 else item[2] for item in found.x}
    links = [link for chain in found.chains.values() for link in pairwise(chain)]
    for (a, b), (c, d) in combinations(links, 2):
        if height[a] == height[c] and a != c and b != d:
            assert (found.x[a] < found.x[c]) == (found.x[b] < found.x[d])


def test_items_of_a_row_keep_their_distance():
    for cell in cells(10):
        edges = [(s, t) for s, row in enumerate(cell.matrix) for t, edge in enumerate(row) if edge]
        found = graph_layout.layout(edges, vertex_cell.BOX_WIDTH)
        for one, other in combinations(found.x, 2):
            rows = [found.row[i[0]] if len(i) == 1 else i[2] for i in (one, other)]
            if rows[0] == rows[1]:
                needed = (
                    sum(vertex_cell.BOX_WIDTH if len(i) == 1 else graph_layout.LANE_WIDTH for i in (one, other)) / 2
                )
                assert abs(found.x[one] - found.x[other]) >= needed + graph_layout.SPACE - 1e-6


@pytest.mark.parametrize("text", ["mobilenetv2", "zennet_400m", "zennet_900m", "rl_vote"])
def test_a_block_table_has_the_numbers_of_the_blocks(text):
    arch = spaces.get("mobilenetv2").parse(text)
    root = drawn(arch)
    rows = {}
    for element in with_class(root, "text", "label"):
        rows.setdefault(element.get("y"), []).append(element)
    assert len(rows) == 9
    side = arch.resolution // 2
    shown = [[t.text for t in row] for row in rows.values()]
    assert shown[0] == ["stem", "3\N{MULTIPLICATION SIGN}3", str(arch.stem), str(side)]
    for row, block in zip(shown[1:], arch.blocks, strict=False):
        side //= block.stride
        kernel = f"{block.kernel}\N{MULTIPLICATION SIGN}{block.kernel}"
        assert row[1:] == [kernel, *map(str, (block.expansion, block.inner_width, block.out_width, side))]
    assert shown[-1] == ["head", "1\N{MULTIPLICATION SIGN}1", str(arch.head), str(arch.resolution // 32)]
    squares = with_class(root, "rect", "fill") + with_class(root, "rect", "box")
    assert len(squares) == 2 + sum(block.layers for block in arch.blocks)
    assert len(with_class(root, "rect", "box")) == 1 + 4  # the stem and four blocks halve the side
    for row in rows.values():
        extents = [text_extents(t) for t in row]
        at = extents[0][2:]
        extents += [
            (x, x + w, *at) for x, y, w in (numbers(s, "x", "y", "width") for s in squares) if at[0] <= y <= at[1]
        ]
        assert not any(overlap(a, b) for a, b in combinations(extents, 2))
        assert all(left >= 0 and right <= block_table.WIDTH for left, right, _, _ in extents)


@pytest.mark.parametrize("space", ["nasbench201", "nasbench101", "mobilenetv2"])
def test_a_drawing_is_a_file_of_its_own_for_light_and_dark_and_for_screen_readers(space):
    arch = spaces.get(space).sample(np.random.default_rng(1))
    text = draw_architecture(arch)
    root = ElementTree.fromstring(text)
    assert root.tag == SVG + "svg"
    assert root.get("role") == "img"
    assert root[0].tag == SVG + "title"
    assert len(root[0].text) > 20
    assert "prefers-color-scheme: dark" in text
    assert "currentColor" in text
    assert not re.search(r"<script|href|url\(|\bid=", text)  # ids would meet those of other drawings on a page
    assert [float(root.get(name)) for name in ("width", "height")] == [
        float(v) for v in root.get("viewBox").split()[2:]
    ]
    assert draw_architecture(spaces.get(space).format(arch), space) == text


def test_an_element_of_a_page_has_no_style_of_its_own():
    element = drawing.element(EDGES, "nasbench201")
    assert "<style" not in element
    ElementTree.fromstring(element)
    assert drawing.element("1111111", "channelbench_mobilenet") is None


@pytest.mark.parametrize(
    ("arch", "space", "message"),
    [
        (EDGES, None, "is not given: draw\\(text, space\\)"),
        (3, None, "3 is no architecture"),
        ("1111111", "channelbench_mobilenet", "no drawing of space 'channelbench_mobilenet', only of nasbench201, nas"),
        ("nonsense", "nasbench201", "nonsense"),
        (("skip",) * 6, None, "not a NAS-Bench-201 cell"),
        (Cell(((0, 1), (1, 0)), ("input", "output")), None, "upper triangular"),
        (STRAIGHT, "mobilenetv2", "not a MobileNetV2 architecture"),
    ],
)
def test_what_is_no_architecture_is_refused(arch, space, message):
    with pytest.raises(InputError, match=message):
        draw_architecture(arch, space)
