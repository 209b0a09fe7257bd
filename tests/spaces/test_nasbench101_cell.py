from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.spaces.nasbench101_cell import OPS, Cell, parse_cell

SPACE = spaces.get("nasbench101")
CONV, _, POOL = OPS
TEXT = f'{{"matrix": [[0, 1, 1], [0, 0, 1], [0, 0, 0]], "ops": ["input", "{CONV}", "output"]}}'
CELL = Cell(((0, 1, 1), (0, 0, 1), (0, 0, 0)), ("input", CONV, "output"))


def chain(vertices, *edges, op=CONV):
    """A path through all vertices, with more edges."""
    matrix = np.eye(vertices, k=1, dtype=int)
    for source, target in edges:
        matrix[source, target] = 1
    return Cell(tuple(map(tuple, matrix.tolist())), ("input", *[op] * (vertices - 2), "output"))


def text_of(matrix, ops):
    return json.dumps({"matrix": matrix, "ops": ops})


def test_text_form_is_the_documented_one():
    assert parse_cell(TEXT) == CELL
    assert SPACE.format(CELL) == TEXT
    assert parse_cell(json.dumps(json.loads(TEXT), indent=4)) == CELL


def test_random_cells_round_trip():
    rng = np.random.default_rng(0)
    for _ in range(500):
        cell = SPACE.sample(rng)
        assert SPACE.parse(SPACE.format(cell)) == cell


def test_vertices_on_no_path_are_pruned():
    # Vertex 2 leads nowhere, vertex 3 comes from nowhere.
    matrix = [[0, 1, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]]
    cell = parse_cell(text_of(matrix, ["input", POOL, CONV, CONV, "output"]))
    assert cell == chain(3, op=POOL)
    unpruned = Cell(tuple(map(tuple, matrix)), ("input", POOL, CONV, CONV, "output"))
    assert SPACE.key(unpruned) == SPACE.key(cell)
    assert SPACE.cost(unpruned) == SPACE.cost(cell)
    assert SPACE.format(unpruned) == SPACE.format(cell)


def test_edges_are_counted_after_pruning():
    nine = chain(7, (0, 2), (0, 3), (0, 4))
    assert SPACE.parse(SPACE.format(nine)) == nine
    dangling = chain(6, (0, 2), (0, 3), (0, 4), (1, 3))
    matrix = [[*row[:5], 0, row[5]] for row in dangling.matrix]
    matrix.insert(5, [0] * 7)
    matrix[0][5] = 1  # the tenth edge leads to a vertex that leads nowhere
    assert SPACE.parse(text_of(matrix, [*dangling.ops[:5], CONV, "output"])) == dangling


TEN_EDGES = chain(7, (0, 2), (0, 3), (0, 4), (0, 5))
OPS_4 = ["input", CONV, POOL, "output"]
ROWS_4 = [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no JSON at character 1"),
        (TEXT[:-1], f"no JSON at character {len(TEXT)}"),
        (TEXT + "}", f"no JSON at character {len(TEXT) + 1}"),
        ("[]", "it is not an object"),
        ('{"matrix": [[0]]}', "it is not an object"),
        (TEXT[:-1] + ', "name": "a"}', "it is not an object"),
        (TEXT[:-1] + ', "ops": []}', "the name 'ops' is given twice"),
        (TEXT.replace("0, 1, 1", "0, 1, NaN"), "NaN is no number of JSON"),
        (TEXT.replace("0, 1, 1", "0, 1, 2"), "matrix[0][2] is 2, not 0 or 1"),
        (TEXT.replace("0, 1, 1", "0, 1, true"), "matrix[0][2] is True, not 0 or 1"),
        (TEXT.replace("0, 1, 1", "0, 1, 1.0"), "matrix[0][2] is 1.0, not 0 or 1"),
        (TEXT.replace("0, 1, 1", "0, 1, [1]"), "matrix[0][2] is [1], not 0 or 1"),
        (text_of([[0, 1], [0, 0, 0]], ["input", "output"]), "matrix[1] is (0, 0, 0), not a row of 2 numbers"),
        (text_of([[0, 1], "00"], ["input", "output"]), "matrix[1] is '00', not a row of 2 numbers"),
        (text_of([[0, 1, 0], [0, 0, 1]], ["input", "output"]), "matrix[0] is (0, 1, 0), not a row of 2 numbers"),
        (text_of({"0": [1]}, ["input", "output"]), "matrix is {'0': [1]}, not rows of 0 and 1"),
        (text_of([[0]], ["input"]), "matrix has 1 rows, allowed are 2 to 7 vertices"),
        (text_of([[0] * 8] * 8, ["input"]), "matrix has 8 rows, allowed are 2 to 7 vertices"),
        (text_of([*ROWS_4[:2], [0, 1, 0, 1], ROWS_4[3]], OPS_4), "matrix[2][1] is 1, but edges lead from a lower to"),
        (text_of([[1, 1], [0, 0]], ["input", "output"]), "matrix[0][0] is 1, but edges lead from a lower to"),
        (text_of([[0, 1, 0, 0], [0] * 4, *ROWS_4[2:]], OPS_4), "disconnected: no path leads from vertex 0, the input,"),
        (text_of(TEN_EDGES.matrix, TEN_EDGES.ops), "matrix has 10 edges on paths from input to output, at most 9"),
        (
            text_of(ROWS_4, [*OPS_4[:2], "conv5x5", "output"]),
            "unknown operation ops[2]='conv5x5', allowed there: conv3x3",
        ),
        (text_of(ROWS_4, ["output", *OPS_4[1:]]), "unknown operation ops[0]='output', allowed there: input"),
        (text_of(ROWS_4, [*OPS_4[:3], "input"]), "unknown operation ops[3]='input', allowed there: output"),
        (text_of(ROWS_4, [*OPS_4[:2], ["a"], "output"]), "unknown operation ops[2]=('a',), allowed there: conv3x3"),
        (text_of(ROWS_4, OPS_4[1:]), "not 4 names, one for each row of the matrix"),
        (text_of(ROWS_4, "four"), "ops is 'four', not 4 names"),
        ("[" * 9_000, "nested too deeply"),
        ("9" * 9_000, "malformed NAS-Bench-101 cell"),
        (" " * 10_001, "it has 10001 characters, at most 10000 are read"),
    ],
)
def test_malformed_text_is_refused_with_its_position(text, what):
    with pytest.raises(InputError) as error:
        parse_cell(text)
    assert what in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("value", [None, 7, TEXT.encode(), CELL])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(InputError, match="is a text, not"):
        parse_cell(value)


def parses_cleanly(text):
    """Parses or refuses; what parses must come back from its own text."""
    try:
        cell = parse_cell(text)
    except InputError:
        return
    assert parse_cell(SPACE.format(cell)) == cell


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([0, 1, "input", *OPS]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["matrix", "ops", "x"]), inner),
    max_leaves=20,
)


@given(st.text())
@example('{"matrix": 1e999, "ops": []}')
@example('{"matrix": "\\ud800", "ops": []}')
def test_any_text_parses_cleanly(text):
    parses_cleanly(text)


@given(JSON, JSON)
def test_any_json_in_the_two_places_parses_cleanly(matrix, ops):
    parses_cleanly(text_of(matrix, ops))


@given(st.integers(1, 8), st.data())
def test_any_matrix_of_small_numbers_parses_cleanly(vertices, data):
    rows = st.lists(st.lists(st.integers(-1, 2), min_size=vertices, max_size=vertices), min_size=vertices)
    ops = data.draw(st.lists(st.sampled_from([*OPS, "x"]), min_size=vertices, max_size=vertices))
    parses_cleanly(text_of(data.draw(rows), ["input", *ops[1:-1], "output"]))


@given(st.integers(0, len(TEXT) - 1), st.characters())
def test_one_changed_character_parses_cleanly(position, character):
    parses_cleanly(TEXT[:position] + character + TEXT[position + 1 :])


@pytest.mark.parametrize(
    "arch",
    [
        None,
        TEXT,
        (CELL.matrix, CELL.ops),
        Cell([list(row) for row in CELL.matrix], CELL.ops),
        Cell(CELL.matrix, list(CELL.ops)),
        Cell(CELL.matrix, CELL.ops[:2]),
        TEN_EDGES,
    ],
)
@pytest.mark.parametrize("method", ["format", "key", "cost", "build"])
def test_what_is_no_cell_is_refused_everywhere(method, arch):
    with pytest.raises(InputError, match="is not a NAS-Bench-101 cell"):
        getattr(SPACE, method)(arch)
