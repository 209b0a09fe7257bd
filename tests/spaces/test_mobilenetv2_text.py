"""The parser: a grammar of its own here as the oracle, positions of errors, and everything a user might type."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wrcor_ext.errors import InputError
from wrcor_ext.spaces.mobilenetv2 import MobileNetV2
from wrcor_ext.spaces.mobilenetv2_arch import Architecture, Block

SPACE = MobileNetV2()
NAMES = (
    *("mobilenetv2", "zennet_400m", "zennet_600m", "zennet_900m", "random_vote", "rl_vote", "evolution_vote"),
    *("random_vote_600m", "rl_vote_600m", "evolution_vote_600m"),
)
PARTS = [
    "SuperConvK3BNRELU(3,48,2,1)",
    "SuperResIDWE2K7(48,32,2,40,2)",
    "SuperResIDWE2K7(32,32,2,48,3)",
    "SuperResIDWE6K7(32,64,1,40,3)",
    "SuperResIDWE6K7(64,88,2,40,4)",
    "SuperResIDWE6K7(88,104,1,56,6)",
    "SuperResIDWE6K5(104,152,2,192,6)",
    "SuperResIDWE6K5(152,240,1,136,2)",
    "SuperConvK1BNRELU(240,1264,1,1)",
]
TEXT = "".join(PARTS)
BEST = Architecture(
    48,
    (
        Block(2, 7, 48, 32, 2, 40, 2),
        Block(2, 7, 32, 32, 2, 48, 3),
        Block(6, 7, 32, 64, 1, 40, 3),
        Block(6, 7, 64, 88, 2, 40, 4),
        Block(6, 7, 88, 104, 1, 56, 6),
        Block(6, 5, 104, 152, 2, 192, 6),
        Block(6, 5, 152, 240, 1, 136, 2),
    ),
    1264,
    224,
)

NUMBER = "(0|[1-9][0-9]*)"
GRAMMAR = re.compile(
    rf"SuperConvK3BNRELU\(3,{NUMBER},2,1\)"
    + rf"SuperResIDWE([1246])K([357])\({NUMBER},{NUMBER},([12]),{NUMBER},{NUMBER}\)" * 7
    + rf"SuperConvK1BNRELU\({NUMBER},{NUMBER},1,1\)(?:@{NUMBER})?"
)


def is_valid(text):
    """The rules once more, on the numbers of a regular expression."""
    match = GRAMMAR.fullmatch(text)
    if match is None:
        return False
    c0, *numbers, before_head, head, resolution = (224 if group is None else int(group) for group in match.groups())
    blocks = [numbers[i : i + 7] for i in range(0, 49, 7)]
    outputs = [c0, *(block[3] for block in blocks)]
    return (
        all(8 <= width <= 4096 and width % 8 == 0 for width in [*outputs, head])
        and [block[2] for block in blocks] + [before_head] == outputs
        and [block[4] for block in blocks].count(2) == 4
        and all(4 <= block[5] <= 4096 and block[5] % 4 == 0 and 1 <= block[6] <= 32 for block in blocks)
        and 32 <= resolution <= 1024
        and resolution % 32 == 0
    )


def test_text_and_names_give_the_architecture():
    assert SPACE.parse(TEXT) == SPACE.parse(f"{TEXT}@224") == SPACE.parse("evolution_vote_600m") == BEST
    assert SPACE.format(BEST) == f"{TEXT}@224"
    assert SPACE.parse(f"{TEXT}@320") == SPACE.parse("evolution_vote_600m@320") == replace(BEST, resolution=320)


def test_published_architectures_have_their_resolutions_and_survive_the_round_trip():
    assert SPACE.published == NAMES
    archs = [SPACE.parse(name) for name in NAMES]
    assert [arch.resolution for arch in archs] == [224, 192, 256, 224, 320, 320, 320, 256, 192, 224]
    assert all(is_valid(SPACE.format(arch)) and SPACE.parse(SPACE.format(arch)) == arch for arch in archs)
    assert len({SPACE.key(arch) for arch in archs}) == 10


@pytest.mark.parametrize(
    ("text", "offending", "what"),
    [
        ("", "", "'' neither begins with 'SuperConvK3BNRELU(' nor is one of mobilenetv2, zennet_400m"),
        ("evolution_vote_60m", "", "nor is one of"),
        (f" {TEXT}", "", "neither begins with"),
        ("".join(PARTS[:3]), "$", "block 3: '' in place of 'SuperResIDWE'"),
        (
            TEXT.replace("E6K5(104", "E3K5(104"),
            "3K5(104",
            "block 6: expansion 3 is not allowed: allowed are 1, 2, 4, 6",
        ),
        (TEXT.replace("E6K5(104", "E6K4(104"), "4(104", "block 6: kernel 4 is not allowed: allowed are 3, 5, 7"),
        (
            TEXT.replace("48,32,2", "48,33,2"),
            "33,2",
            "block 1: output width 33 is not allowed: allowed are multiples of 8",
        ),
        (TEXT.replace("(3,48", "(3,0"), "0,2,1", "stem: output width 0 is not allowed"),
        (TEXT.replace("(3,48", "(4,48"), "4,48,2,1", "stem: input width 4 is not allowed: allowed is 3"),
        (TEXT.replace("(88,", "(80,"), "80,104", "block 5: input width 80 is not 88, the output width of block 4"),
        (TEXT.replace("(48,32", "(40,32"), "40,32", "block 1: input width 40 is not 48, the output width of the stem"),
        (TEXT.replace("(240,", "(248,"), "248,1264", "head: input width 248 is not allowed: allowed is 240"),
        (TEXT.replace("152,240", "152,241"), "241", "block 7: output width 241 is not allowed"),
        (TEXT.replace("64,1,40", "64,3,40"), "3,40", "block 3: stride 3 is not allowed: allowed are 1, 2"),
        (TEXT.replace("64,1,40", "64,2,40"), "2,192,6", "block 6: stride 2 is one too many: exactly 4 blocks have it"),
        (TEXT.replace("152,2,", "152,1,"), "1,136,2", "block 7: stride 2 is in 3 blocks up to here: exactly 4 have it"),
        (TEXT.replace(",56,6", ",58,6"), "58,6", "block 5: bottleneck 58 is not allowed: allowed are multiples of 4"),
        (TEXT.replace(",56,6", ",56,0"), "0)SuperResIDWE6K5(104", "block 5: number of layers 0 is not allowed"),
        (TEXT.replace(",56,6", ",56,06"), "06)", "block 5: number of layers '06' is not a number of 1 to 6 digits"),
        (TEXT.replace(",56,6", ",56,-6"), "-6)", "block 5: number of layers '-6)SuperResI' is not a number"),
        (TEXT.replace(",56,6", ",56,6666666"), "6666666", "'6666666' is not a number of 1 to 6 digits"),
        (TEXT.replace(",56,6", ",56"), ")SuperResIDWE6K5(104", "block 5: ')' in place of ','"),
        (TEXT.replace(",56,6", ", 56,6"), " 56", "block 5: bottleneck ' 56,6)SuperR' is not a number"),
        (TEXT.replace("Conv", "conv"), "SuperconvK3", "stem: 'SuperconvK3BNRELU(' in place of 'SuperConvK3BNRELU('"),
        (TEXT + PARTS[-1], "SuperConvK1BNRELU(240,1264,1,1)$", "end: 'S' in place of '@'"),
        (TEXT + "@", "$", "end: resolution '' is not a number of 1 to 6 digits"),
        (TEXT + "@200", "200$", "end: resolution 200 is not allowed: allowed are multiples of 32 from 32 to 1024"),
        (TEXT + "@224\n", "\n$", "'\\n' follows the end"),
        (TEXT + "@224@224", "@224$", "'@224' follows the end"),
        ("rl_vote@100", "100", "end: resolution 100 is not allowed"),
        ("mobilenetv2@x", "x", "end: resolution 'x' is not a number"),
    ],
)
def test_malformed_text_is_refused_with_part_and_position(text, offending, what):
    with pytest.raises(InputError) as error:
        SPACE.parse(text)
    at_end = offending.endswith("$")
    position = (text.rindex if at_end else text.index)(offending.rstrip("$")) + 1
    if offending == "$":
        position = len(text) + 1
    assert f" at character {position}: " in str(error.value)
    assert what in str(error.value)
    assert "\n" not in str(error.value)
    assert not is_valid(text)


@pytest.mark.parametrize("value", [None, 7, TEXT.encode(), BEST, [TEXT]])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(InputError, match="is a text, not"):
        SPACE.parse(value)


def test_very_long_texts_give_short_messages():
    for text in (TEXT * 10_000, "9" * 100_000, TEXT.replace("1264", "1" * 100_000), TEXT + "@" + "1" * 100_000):
        with pytest.raises(InputError) as error:
            SPACE.parse(text)
        assert len(str(error.value)) < 600


TOKENS = st.sampled_from(
    [*PARTS, *NAMES, *re.findall("[A-Za-z]+|[0-9]+|[^A-Za-z0-9]", TEXT), "@224", "@", " ", "\x00", "٣"]
)


@given(st.one_of(st.text(), st.lists(TOKENS, max_size=20).map("".join)))
@example(TEXT.replace("48", "٤٨"))
@example("__import__('os').system('true')")
def test_parser_accepts_the_grammar_and_refuses_the_rest_cleanly(text):
    assume_name = text.partition("@")[0] in NAMES
    try:
        arch = SPACE.parse(text)
    except InputError:
        assert not is_valid(text)
        assert text not in NAMES
    else:
        assert is_valid(text) or assume_name
        assert SPACE.parse(SPACE.format(arch)) == arch


@given(st.data())
def test_one_changed_piece_is_never_misread(data):
    pieces = re.findall("[A-Za-z]+|[0-9]+|[^A-Za-z0-9]", TEXT + "@224")
    changed = data.draw(st.integers(0, len(pieces) - 1))
    pieces[changed] = data.draw(st.one_of(TOKENS, st.text(max_size=3), st.integers(0, 5000).map(str)))
    text = "".join(pieces)
    try:
        arch = SPACE.parse(text)
    except InputError:
        assert not is_valid(text)
    else:
        assert is_valid(text)
        assert SPACE.format(arch) == (text if "@" in text else f"{text}@224")


def test_random_architectures_survive_the_round_trip():
    rng = np.random.default_rng(0)
    for arch in [SPACE.sample(rng) for _ in range(200)]:
        text = SPACE.format(arch)
        assert is_valid(text)
        assert SPACE.parse(text) == arch


@pytest.mark.parametrize(
    "arch",
    [
        None,
        TEXT,
        replace(BEST, blocks=BEST.blocks[:6]),
        replace(BEST, blocks=list(BEST.blocks)),
        replace(BEST, blocks=(None,) * 7),
        replace(BEST, stem=40),
        replace(BEST, stem=48.0),
        replace(BEST, head=12),
        replace(BEST, resolution=230),
        replace(BEST, resolution="224"),
        replace(BEST, blocks=(*BEST.blocks[:6], replace(BEST.blocks[6], expansion=True))),
    ],
)
@pytest.mark.parametrize("method", ["format", "key", "cost", "build"])
def test_what_is_no_valid_architecture_is_refused_everywhere(method, arch):
    with pytest.raises(InputError, match="MobileNetV2 architecture"):
        getattr(SPACE, method)(arch)
    with pytest.raises(InputError, match="MobileNetV2 architecture"):
        SPACE.mutate(arch, np.random.default_rng(0))
