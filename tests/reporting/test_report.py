"""The report: complete, escaped, self-contained, and its charts show the numbers they claim to show."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats

from wrcor_ext.reporting import Candidate, Candidates, Report, figures, operations, statistics, svg

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
        "objective": value,
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
        "state": "Complete: 9 trials.",
        "space": "nasbench201",
        "objective": "wrcor",
        "candidates": Candidates.of(candidates),
        "best": dict(enumerate(scored[:5] if best is None else best, start=1)),
        "configuration": {"seed": 3, "proxies": ["wrcor", "naswot"], "augment": True, "tail": None},
        "environment": {"torch": "2.14.1"},
    }
    return Report(**{**fields, **changes}).html()


def elements(html, css_class):
    return [attrs for _, attrs in parsed(html).tags if attrs.get("class") == css_class]


def test_the_page_has_all_it_should():
    html = report([candidate(0, 10.0), candidate(1, None), candidate(2, 12.5), candidate(3, 12.5, seen_before=True)])
    text = " ".join(parsed(html).text)
    for shown in ("Best 3", "12.50", "Best so far", "Score against FLOPs", "Configuration", "seed",
                  "2.14.1", "3.00 M", "2.00 k", "wrcor naswot", "yes", "none"):  # fmt: skip
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
    assert "url(" not in html
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
    line = elements(html, "steps")[0]
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


@pytest.mark.parametrize(("last", "numbers"), [(0, "0"), (3, "0 1 2 3"), (11, "0 5 10"), (110, "0 25 50 75 100")])
def test_trials_have_ticks_at_whole_numbers(last, numbers):
    axis = figures.axis_of_trials(np.array([0, last]))
    assert [axis.text(tick) for tick in axis.ticks()] == numbers.split()


def test_a_million_points_make_a_small_file():
    points = [(float(number), 1.0) for number in range(1_000_000)]
    axis = svg.Axis("x", 0.0, 1e6)
    assert len(svg.chart(axis, svg.Axis("y", 0.0, 2.0), title="t", dots=points)) < 60_000


def tables(html, css_class):
    """The rows of a table, as the texts of their cells."""
    root = ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>"))
    (table,) = [table for table in root.iter("table") if table.get("class") == css_class]
    return [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]


def test_the_best_are_drawn_with_their_rank():
    root = ElementTree.fromstring(report([candidate(0, 1.0), candidate(1, 3.0)]).removeprefix("<!DOCTYPE html>"))
    figures = [figure for figure in root.iter("figure") if figure.get("class") == "picture"]
    assert ["".join(figure[0].itertext()) for figure in figures] == ["1 3.00, 2.00 M FLOPs", "2 1.00, 1.00 M FLOPs"]
    assert [figure.find("svg/title").text for figure in figures] == [f"NAS-Bench-201 cell {CELL}"] * 2
    assert 'class="picture"' not in report([candidate(0, 1.0)], space="channelbench_mobilenet")


def test_a_vote_or_a_turned_score_is_a_column_of_its_own():
    html = report([candidate(0, -3.0, scores={"ntk": 3.0})], objective="-ntk")
    assert tables(html, "numbers")[0][:3] == ["rank", "-ntk", "ntk"]
    assert tables(html, "numbers")[1][:3] == ["1", "-3.00", "3.00"]


def test_failures_are_counted_by_reason():
    reason = "RuntimeError: no <memory>"
    trials = [candidate(n, None, reason=reason) for n in (4, 5, 9)]
    trials += [candidate(6, None, status="degenerate", reason="wrcor degenerate: x"), candidate(7, 1.0)]
    trials += [candidate(8, 1.0, reason="naswot failed: y"), candidate(10, None)]
    assert tables(report(trials), "failures") == [
        ["count", "status", "reason", "first trial"],
        ["3", "failed", reason, "4"],
        ["1", "degenerate", "wrcor degenerate: x", "6"],
        ["1", "ok", "naswot failed: y", "8"],
        ["1", "failed", "no reason given", "10"],
    ]
    assert "What went wrong" not in report([candidate(0, 1.0)])


def test_rare_reasons_are_summed_up():
    html = report([candidate(n, None, reason=f"reason {n}") for n in range(13)])
    assert len(tables(html, "failures")) == 11
    assert "And 3 rarer kinds." in html


def test_the_matrix_shows_the_correlations_of_architectures_that_were_scored_themselves():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 3)).round(1)
    trials = [
        candidate(n, row[0], scores=dict(zip(("a", "b", "c"), map(float, row), strict=True)), seen_before=n >= 25)
        for n, row in enumerate(values)
    ]
    expected = stats.spearmanr(values[:25]).statistic
    rows = tables(report(trials, objective="a"), "matrix")
    assert [row[0] for row in rows] == ["", "1 a", "2 b", "3 c"]
    shown = [["1" if i == j else f"{expected[i, j]:.2f}" for j in range(3)] for i in range(3)]
    assert [row[1:] for row in rows[1:]] == shown
    assert "Rank correlation" not in report([candidate(0, 1.0, scores={"a": 1.0})])


def test_pairs_without_numbers_do_not_count():
    nan, inf = math.nan, math.inf
    a, b = [1.0, 2.0, nan, 3.0, nan, inf, 9.0], [3.0, 2.0, 7.0, 1.0, 1.0, 1.0, nan]
    assert statistics.spearman(np.array(a), np.array(b)) == pytest.approx(-1.0)
    assert statistics.spearman(np.array(a[:2]), np.array(b[:2])) is None
    assert statistics.spearman(np.ones(3), np.arange(3.0)) is None


def front(points):
    table = np.array(points, dtype=np.float64).reshape(-1, 2)
    return statistics.front(table[:, 0], table[:, 1]).tolist()


def test_the_front_is_what_no_other_point_beats():
    rng = np.random.default_rng(3)
    points = [(float(x), float(y)) for x, y in rng.integers(0, 12, size=(60, 2))]
    beaten = {
        i for i, p in enumerate(points)
        for j, q in enumerate(points)
        if q[0] <= p[0] and q[1] >= p[1] and (q != p or j < i)
    }  # fmt: skip
    found = front(points)
    assert sorted(found) == sorted(set(range(60)) - beaten)
    assert [points[i] for i in found] == sorted(points[i] for i in found)
    assert front([]) == []


def test_the_front_is_drawn_and_named_and_the_best_are_marked():
    scores = [1.0, 4.0, 2.0, 6.0, 5.0, 7.0, 0.5]
    html = report([candidate(trial, value) for trial, value in enumerate(scores)])
    root = ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>"))
    charts = [svg_ for svg_ in root.iter("svg") if svg_.get("class") == "chart"]
    assert [[t.text for t in chart.iter("text") if t.get("class") == "name"] for chart in charts] == [
        ["best so far"], ["front"],
    ]  # fmt: skip
    assert "4 candidates that no other beats" in charts[1].find("title").text
    marks = [m.find("title").text for m in charts[1].iter("circle")]
    assert marks[-1] == "rank 1, trial 5: 7.00"
    assert len(marks) == 5


def test_shares_of_operations_are_those_of_the_best_tenth_and_of_all():
    conv, skip = "|nor_conv_3x3~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|", "skip_connect"
    trials = [candidate(n, float(n), architecture=conv.format(*[skip] * 5)) for n in range(18)]
    trials += [candidate(n, float(n), architecture=conv.format(*["nor_conv_3x3"] * 5)) for n in (18, 19)]
    trials += [candidate(n, 99.0, architecture=conv.format(*[skip] * 5), seen_before=True) for n in range(20, 40)]
    assert tables(report(trials), "shares") == [
        ["edges", "best tenth", "all", ""],
        ["skip", "0%", f"{18 * 5 / 120:.0%}", ""],
        ["conv 3\N{MULTIPLICATION SIGN}3", "100%", f"{(18 + 12) / 120:.0%}", ""],
    ]
    assert 'class="shares"' not in report(trials[:19])


def test_blocks_and_vertices_are_counted():
    counted = operations.counts("mobilenetv2", "zennet_400m")
    assert dict(counted["expansions"]) == {"1": 4, "2": 2, "4": 1, "6": 0}
    assert +counted["kernels"] == {"7\N{MULTIPLICATION SIGN}7": 7}
    assert +counted["resolutions"] == {"192": 1}
    text = '{"matrix": [[0, 1, 1], [0, 0, 1], [0, 0, 0]], "ops": ["input", "maxpool3x3", "output"]}'
    assert +operations.counts("nasbench101", text)["vertices"] == {"max-pool 3\N{MULTIPLICATION SIGN}3": 1}
    assert operations.counts("channelbench_mobilenet", "1111111") == {}
