"""The report: complete, escaped, self-contained, and its charts show the numbers they claim to show."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest

from wrcor_ext.reporting import Candidate, Report, svg

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
VOID = {"wbr", "meta", "br", "hr", "img", "link", "input"}


class Strict(HTMLParser):
    """Fails on tags that do not match, and collects text and tags."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(html):
    parser = Strict()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def candidate(trial, value, *, architecture=CELL, **changes):
    fields = {
        "trial": trial,
        "architecture": architecture,
        "status": "ok" if value is not None else "failed",
        "scores": {"wrcor": value, "naswot": 1.0},
        "flops": 1_000_000 * (trial + 1),
        "params": 2_000,
        "seconds": 0.5,
    }
    return Candidate(**{**fields, **changes})


def report(candidates, best=None, **changes):
    scored = sorted((c for c in candidates if c.objective is not None), key=lambda c: -c.objective)
    fields = {
        "title": "evolution search of nasbench201",
        "space": "nasbench201",
        "objective": "wrcor",
        "candidates": candidates,
        "best": scored[:5] if best is None else best,
        "configuration": {"seed": 3, "proxies": ["wrcor", "naswot"], "augment": True, "tail": None},
        "environment": {"torch": "2.14.1"},
    }
    return Report(**{**fields, **changes}).html()


def elements(html, css_class):
    return [attrs for _, attrs in parsed(html).tags if attrs.get("class") == css_class]


def test_the_page_has_all_it_should():
    html = report([candidate(0, 10.0), candidate(1, None), candidate(2, 12.5), candidate(3, 12.5, seen_before=True)])
    text = " ".join(parsed(html).text)
    for shown in ("Best 3", "12.50", "Best so far", "Score against FLOPs", "Best cell", "Configuration", "seed",
                  "2.14.1", "3.00 M", "2.00 k", "wrcor, naswot", "yes", "none"):  # fmt: skip
        assert shown in text
    tiles = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html))
    assert tiles == {
        "trials": "4", "best wrcor": "12.50", "degenerate": "0", "failed": "1", "seen before": "1",
        "scoring time": "2.0 s",
    }  # fmt: skip


def test_it_needs_nothing_from_elsewhere_and_runs_nothing():
    html = report([candidate(0, 10.0), candidate(1, 11.0)])
    assert "://" not in html
    assert "@import" not in html
    assert "url(" not in html.replace("url(#tip)", "")
    tags = parsed(html).tags
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in tags}
    assert not any(name.startswith("on") or name in ("src", "href") for _, attrs in tags for name in attrs)


def test_it_follows_the_readers_light_or_dark_and_fits_a_phone():
    html = report([candidate(0, 10.0)])
    assert "prefers-color-scheme: dark" in html
    tags = parsed(html).tags
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in tags
    # The table of the best is never wider than the window: long architectures wrap, and names stand beside numbers.
    names = [attrs["data-name"] for tag, attrs in tags if tag == "td" and "data-name" in attrs]
    assert names == ["rank", "wrcor", "naswot", "FLOPs", "parameters", "trial"]
    assert f'<td class="text"><code>{CELL}</code></td>' in html
    assert "overflow-x" not in html


def test_all_text_is_escaped():
    evil = "<script>alert('&\"')</script>"
    html = report(
        [candidate(0, 1.0, architecture=evil, scores={evil: 1.0})],
        title=evil,
        objective=evil,
        configuration={evil: evil},
        environment={evil: [evil, evil]},
    )
    parser = parsed(html)
    assert "script" not in {tag for tag, _ in parser.tags}
    assert parser.text.count(evil) >= 8


def test_what_has_no_cost_is_shown_without():
    html = report([candidate(0, 10.0, flops=None, params=None), candidate(1, 11.0)])
    assert '<td data-name="FLOPs">\N{EN DASH}</td>' in html
    assert html.count("h0") == 2 + 1
    assert "Score against FLOPs" not in report([candidate(0, 10.0, flops=None, params=None)])


@pytest.mark.parametrize("values", [[], [None], [None, None, None]])
def test_without_scores_it_says_so(values):
    html = report([candidate(trial, value) for trial, value in enumerate(values)])
    assert "No candidate has a score." in html
    assert "<svg" not in html


@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [-3.0, -3.0, None], [1e9, 1.0], [1e-9, 2e-9]])
def test_odd_numbers_of_odd_scores_make_a_page(values):
    html = report([candidate(trial, value) for trial, value in enumerate(values)])
    parsed(html)
    assert "nan" not in html
    assert "inf" not in html.lower().replace("information", "")


def test_the_line_is_the_running_maximum():
    html = report([candidate(trial, value) for trial, value in enumerate([3.0, 1.0, None, 5.0, 4.0, 6.0])])
    (line,) = elements(html, "steps")
    heights = [float(value) for value in re.findall(r"V([\d.]+)", line["d"])]
    assert len(heights) == 3  # risen to 5, risen to 6, and the end
    assert heights == sorted(heights, reverse=True)


def test_collapsed_scores_do_not_flatten_the_chart_and_are_counted():
    values = [100.0 + trial for trial in range(40)] + [-1e6]
    html = report([candidate(trial, value) for trial, value in enumerate(values)])
    assert "Scores below the charts: 1." in html
    assert html.count("h0") == 2 * 40


def test_points_lie_where_the_axes_say():
    x, y = svg.Axis("x", 0.0, 10.0), svg.Axis("y", 0.0, 100.0)
    chart = svg.chart(x, y, title="t", dots=[(0.0, 0.0), (10.0, 100.0), (5.0, 50.0)], marks=[svg.Mark(10.0, 0.0, "m")])
    left, right, top, bottom = svg.LEFT, svg.WIDTH - svg.RIGHT, svg.TOP, svg.HEIGHT - svg.BOTTOM
    found = [tuple(map(float, pair)) for pair in re.findall(r"M([\d.]+) ([\d.]+)h0", chart)]
    assert found == [(left, bottom), (right, top), ((left + right) / 2, (top + bottom) / 2)]
    (mark,) = elements(chart, "mark")
    assert (float(mark["cx"]), float(mark["cy"])) == (right, bottom)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.37, 0.39), (-5, 5), (1e8, 1.5e8), (3, 3.001), (-1e-9, 1e-9)])
def test_ticks_are_few_round_and_inside(low, high):
    ticks = svg.Axis("x", low, high).ticks()
    assert 3 <= len(ticks) <= 6
    assert all(low - 1e-12 * abs(low) <= tick <= high + 1e-12 * abs(high) for tick in ticks)
    step = ticks[1] - ticks[0]
    leading = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(leading - round_step) for round_step in (1, 2, 2.5, 5, 10)) < 1e-3


def test_a_million_points_make_a_small_file():
    points = [(float(number), 1.0) for number in range(1_000_000)]
    axis = svg.Axis("x", 0.0, 1e6)
    assert len(svg.chart(axis, svg.Axis("y", 0.0, 2.0), title="t", dots=points)) < 60_000
