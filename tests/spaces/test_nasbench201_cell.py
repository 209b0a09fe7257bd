from __future__ import annotations

import csv
import gzip
import hashlib
import re

import pytest
from helpers.golden import data_file
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wrcor_ext import spaces
from wrcor_ext.errors import InputError
from wrcor_ext.spaces.nasbench201_cell import EDGES, OPS, parse_cell

SPACE = spaces.get("nasbench201")
TEXT = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
CELL = ("nor_conv_3x3", "nor_conv_3x3", "avg_pool_3x3", "skip_connect", "nor_conv_3x3", "none")
GRAMMAR = re.compile("[+]".join("[|]" + "".join(f"(?:{'|'.join(OPS)})~{s}[|]" for s in range(n)) for n in (1, 2, 3)))


def test_parsing_keeps_the_official_edge_order():
    assert parse_cell(TEXT) == CELL
    assert EDGES == ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))


def test_all_cells_round_trip():
    cells = list(SPACE.enumerate())
    assert len(cells) == SPACE.size == len(set(cells)) == 15_625
    assert all(SPACE.parse(SPACE.format(cell)) == cell for cell in cells)


def test_order_is_the_one_of_the_benchmark():
    texts = [SPACE.format(cell) for cell in SPACE.enumerate()]
    # Known from the benchmark's tables: the first, and the best for CIFAR-10 and for ImageNet16-120.
    assert texts[0] == "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    assert (
        texts[6111] == "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
    )
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    assert digest == "83abc799e45cf34e9d2163654668ab998b9a54d01c39e72ca1f71f2cdf356d84"


def test_order_agrees_with_the_published_table():
    with gzip.open(data_file("nasbench201.csv.gz"), "rt") as table:
        published = {int(row["index"]): row["arch"] for row in csv.DictReader(table)}
    assert published == dict(enumerate(map(SPACE.format, SPACE.enumerate())))


@pytest.mark.parametrize(
    ("text", "character", "what"),
    [
        ("", 1, "node 1 is '' and not enclosed in '|'"),
        ("|none~0|", 9, "the number of nodes is 1 instead of 3"),
        (TEXT + "+|none~0|", len(TEXT) + 2, "the number of nodes is 4 instead of 3"),
        (TEXT[:-1], 50, "node 3 is '|skip_connect~0|nor_conv_3x3~1|none~2' and not enclosed in '|'"),
        (TEXT + "\n", 50, "not enclosed in '|'"),
        (TEXT.replace("avg_pool", "max_pool"), 34, "unknown operation 'max_pool_3x3', allowed are none, skip_connect"),
        (TEXT.replace("|none~2|", "||"), 81, "unknown operation ''"),
        (TEXT.replace("3x3~1|none", "3x3~2|none"), 78, "edge 'nor_conv_3x3~2' of node 3 must end in '~1'"),
        (TEXT.replace("~2", ""), 85, "edge 'none' of node 3 must end in '~2'"),
        (TEXT.replace("~2", "~02"), 85, "edge 'none~02' of node 3 must end in '~2'"),
        (TEXT.replace("avg_pool_3x3~1|", ""), 33, "the number of edges of node 2 is 1 instead of 2"),
        (TEXT.replace("|+|nor", "|none~1|+|nor", 1), 17, "the number of edges of node 1 is 2 instead of 1"),
    ],
)
def test_malformed_text_is_refused_with_its_position(text, character, what):
    with pytest.raises(InputError) as error:
        parse_cell(text)
    assert f"at character {character}: " in str(error.value)
    assert what in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [None, 7, b"|none~0|", CELL])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(InputError, match="is a text, not"):
        parse_cell(value)


def test_a_very_long_text_gives_a_short_message():
    with pytest.raises(InputError) as error:
        parse_cell("|none~0|+" * 100_000)
    assert len(str(error.value)) < 500


PIECES = st.sampled_from(
    [*OPS, "~", "~0", "~1", "~2", "|", "+", "|none~0|", "|none~0|none~1|", "|+|", " ", "\x00", "é"]
)


@settings(deadline=None)  # the machine may be busy
@given(st.one_of(st.text(), st.lists(PIECES, max_size=25).map("".join)))
@example("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
@example("|none~0|+|none~0|none~1|+|none~0|none~1|none~٢|")
def test_parser_accepts_the_grammar_and_refuses_the_rest_cleanly(text):
    if GRAMMAR.fullmatch(text):
        assert SPACE.format(parse_cell(text)) == text
    else:
        with pytest.raises(InputError):
            parse_cell(text)


@settings(deadline=None)  # the machine may be busy
@given(st.data())
def test_one_changed_character_is_never_misread(data):
    position = data.draw(st.integers(0, len(TEXT) - 1))
    character = data.draw(st.characters())
    text = TEXT[:position] + character + TEXT[position + 1 :]
    try:
        cell = parse_cell(text)
    except InputError:
        assert not GRAMMAR.fullmatch(text)
    else:
        assert SPACE.format(cell) == text


@pytest.mark.parametrize("arch", [(), CELL[:5], (*CELL, "none"), (*CELL[:5], "conv"), list(CELL), TEXT, None, (1,) * 6])
@pytest.mark.parametrize("method", ["format", "key", "cost", "build"])
def test_what_is_no_cell_is_refused_everywhere(method, arch):
    with pytest.raises(InputError, match="is not a NAS-Bench-201 cell"):
        getattr(SPACE, method)(arch)
