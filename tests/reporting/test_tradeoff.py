"""The report of several objectives: its charts show the front, and its table names the members by their rank."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from wrcor_ext.reporting import Candidate, Candidates, Quantity, Report, Tradeoff, svg

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
OTHER = CELL.replace("avg_pool_3x3", "skip_connect")

WRCOR = [5.0, 9.0, np.nan, 4.0, 8.0, 2.0]
FLOPS = [30e6, 50e6, 10e6, 40e6, 20e6, 10e6]
PARAMS = [1e3, 2e3, 3e3, 500.0, 9e3, 4e3]

# By the definition: trial 0 is beaten by 4 in score and FLOPs, but not in parameters.
OF_TWO, OF_THREE = [1, 4, 5], [1, 4, 0, 3, 5]


def report(goals=("wrcor", "-flops"), members=OF_TWO, *, shown=None, values=None, scores=("wrcor",), **changes):
    """A page of six trials; the quantities by name, with a minus where less is better."""
    known = {"wrcor": WRCOR, "flops": FLOPS, "params": PARAMS, **(values or {})}
    candidates = [
        Candidate(
            trial=10 * number,
            architecture=CELL if number % 2 else OTHER,
            status="ok" if wrcor == wrcor else "failed",
            objective=wrcor if wrcor == wrcor else None,
            scores=dict.fromkeys(scores, wrcor),
            flops=int(FLOPS[number]),
            params=int(PARAMS[number]),
            seconds=0.5,
        )
        for number, wrcor in enumerate(WRCOR)
    ]
    quantities = [
        Quantity(name, np.array(known[name]), -1 if goal.startswith("-") else 1, name in ("flops", "params"))
        for goal in goals
        for name in [goal.removeprefix("-")]
    ]
    tradeoff = Tradeoff(
        quantities,
        np.array(members),
        [candidates[place].architecture for place in members],
        np.array([0.0, 3.0, 3.0, 3.0, 7.0, 8.5e9]),
        {one.name: float(np.nanmin(one.direction * one.values)) * one.direction for one in quantities},
    )
    ranks = range(1, len(members) + 1) if shown is None else shown
    fields = {
        "title": "nsga2 search of nasbench201",
        "state": "Complete: 6 trials.",
        "space": "nasbench201",
        "objective": "wrcor",
        "candidates": Candidates.of(candidates),
        "best": {rank: candidates[members[rank - 1]] for rank in ranks},
        "configuration": {},
        "environment": {},
        "tradeoff": tradeoff,
    }
    return ElementTree.fromstring(Report(**{**fields, **changes}).html().removeprefix("<!DOCTYPE html>"))


def text(element):
    return "".join(element.itertext())


def charts(page):
    """The charts by their heading."""
    return {
        text(figure.find("figcaption")): figure.find("svg")
        for figure in page.iter("figure")
        if figure.find("svg").get("class") == "chart"
    }


def points(chart, css_class):
    """Where the dots of a path lie in the drawing."""
    (path,) = [path.get("d") for path in chart.iter("path") if path.get("class") == css_class]
    return [tuple(map(float, pair)) for pair in re.findall(r"M([\d.]+) ([\d.]+)h0", path)]


def line(chart):
    """The corners of the line, from its beginning."""
    (path,) = [path.get("d") for path in chart.iter("path") if path.get("class") == "steps"]
    start, *steps = re.findall(r"(?:M([\d.]+) |H)([\d.]+)(?:V([\d.]+))?", path)
    places = [(float(start[0]), float(start[1]))]
    return places + [(float(x), float(y)) for _, x, y in steps]


def table(page):
    (found,) = [found for found in page.iter("table") if found.get("class") == "numbers"]
    return [[text(cell) for cell in row] for row in found.iter("tr")]


def test_the_numbers_at_the_top_are_those_of_the_front():
    page = report()
    names, values = ([text(one) for one in page.iter(tag)] for tag in ("dt", "dd"))
    tiles = dict(zip(names, values, strict=True))
    assert (tiles["trials"], tiles["front"], tiles["hypervolume"], tiles["failed"]) == ("6", "3", "8.500 G", "1")
    assert "Complete: 6 trials." in [text(one) for one in page.iter("p")]


def test_two_objectives_are_one_chart_with_the_front_as_a_staircase():
    page = report()
    found = charts(page)
    assert list(found) == ["wrcor against FLOPs", "Hypervolume", "Best so far"]
    chart = found["wrcor against FLOPs"]
    assert len(points(chart, "dots")) == 5  # all that have both
    strong = points(chart, "dots strong")
    assert line(chart) == sorted(strong)  # from the cheapest up to the best
    assert [y for _, y in line(chart)] == sorted((y for _, y in strong), reverse=True)
    marks = [(float(one.get("cx")), float(one.get("cy")), text(one)) for one in chart.iter("circle")]
    assert sorted((x, y) for x, y, _ in marks) == sorted(strong)
    assert [label for *_, label in marks] == [
        "rank 1, trial 10: wrcor 9.00, FLOPs 50.0 M",
        "rank 2, trial 40: wrcor 8.00, FLOPs 20.0 M",
        "rank 3, trial 50: wrcor 2.00, FLOPs 10.0 M",
    ]
    titles = [text(one) for one in chart.iter("text")]
    assert "FLOPs, less is better" in titles
    assert "wrcor, more is better" in titles


def test_more_objectives_are_drawn_in_all_pairs_without_a_staircase():
    page = report(("wrcor", "-flops", "-params"), OF_THREE)
    found = charts(page)
    assert list(found) == [
        "wrcor against FLOPs", "wrcor against parameters", "FLOPs against parameters", "Hypervolume", "Best so far",
    ]  # fmt: skip
    for chart in list(found.values())[:3]:
        assert len(points(chart, "dots strong")) == len(OF_THREE)
        assert not [path for path in chart.iter("path") if path.get("class") == "steps"]


@pytest.mark.parametrize(
    ("goals", "members", "falls", "leftwards"),
    [
        (("wrcor", "-flops"), [1, 4, 5], False, False),
        (("-flops", "wrcor"), [5, 4, 1], False, False),  # the cost lies along the bottom all the same
        (("wrcor", "snip"), [1, 4, 3], False, True),
        (("-wrcor", "-flops"), [5], False, False),
        (("-snip", "-flops"), [1, 4, 5], True, False),
    ],
)
def test_the_staircase_bounds_what_the_front_beats_whatever_is_better(goals, members, falls, leftwards):
    snip = [1.0, 2.0, 0.0, 4.0, 3.0, 3.5]
    corners = line(charts(report(goals, members, values={"snip": snip}))[_heading(goals)])
    assert len(corners) == len(members)
    (start_x, start_y), (end_x, end_y) = corners[0], corners[-1]
    if len(members) > 1:
        assert (end_y > start_y) is falls  # down in a drawing is a larger y
        assert (end_x < start_x) is leftwards


def _heading(goals):
    names = [goal.removeprefix("-").replace("flops", "FLOPs") for goal in goals]
    names.sort(key=lambda name: name == "FLOPs")
    return " against ".join(names)


def test_the_name_of_a_line_stays_inside_the_drawing_on_its_free_side():
    axis = svg.Axis("x", 0.0, 10.0)
    for points_, anchor in (
        ([(0.0, 0.0), (10.0, 10.0)], "end"),
        ([(0.0, 0.0), (0.1, 10.0)], "end"),
        ([(10.0, 0.0), (0.0, 10.0)], "start"),
        ([(10.0, 0.0), (9.9, 10.0)], "start"),
        ([(0.0, 10.0), (10.0, 0.0)], "start"),
    ):
        drawing = ElementTree.fromstring(svg.chart(axis, axis, title="t", line=svg.Line(points_, "a front")))
        (name,) = [one for one in drawing.iter("text") if one.get("class") == "name"]
        x, y = float(name.get("x")), float(name.get("y"))
        assert name.get("text-anchor") == anchor
        if anchor == "end":
            assert svg.LEFT + svg.LABEL_ROOM <= x <= svg.WIDTH - svg.RIGHT
        else:
            assert svg.LEFT <= x <= svg.WIDTH - svg.RIGHT - svg.LABEL_ROOM / 2
        assert 0 < y < svg.HEIGHT - svg.BOTTOM + 6


def test_the_hypervolume_rises_step_by_step():
    chart = charts(report())["Hypervolume"]
    heights = [y for _, y in line(chart)]
    assert len(heights) == 5  # from 0 to 3, 7, 8.5 G, and the end
    assert heights == sorted(heights, reverse=True)
    note = next(text(one) for one in report().iter("p") if "Hypervolumes" in text(one))
    assert note.endswith("measured from the point wrcor 2.00, FLOPs 50.0 M.")


def test_a_long_line_is_thinned_and_keeps_its_end():
    rng = np.random.default_rng(0)
    page = report(candidates=_many(20_000), tradeoff=_grown(rng.random(20_000).cumsum()))
    corners = line(charts(page)["Hypervolume"])
    assert len(corners) < 1100
    # The highest is the last, 4 % of the range below the edge.
    share = 1.04 / 1.08
    assert corners[-1][1] == pytest.approx(
        svg.HEIGHT - svg.BOTTOM - share * (svg.HEIGHT - svg.TOP - svg.BOTTOM), abs=0.1
    )


def test_members_of_the_front_far_below_the_rest_are_counted():
    values = [Quantity("wrcor", np.array([*range(100, 140), -1e9]), 1, False)]
    values.append(Quantity("flops", np.array([9.0] * 40 + [5.0]), -1, True))
    tradeoff = Tradeoff(values, np.array([39, 40]), [CELL] * 2, np.arange(41.0), {"wrcor": -1e9, "flops": 9.0})
    page = report(candidates=_many(41), tradeoff=tradeoff, best={})
    assert "Of the front beyond the charts: 1." in "".join(page.itertext())
    assert len(points(charts(page)["wrcor against FLOPs"], "dots strong")) == 1
    assert "beyond the charts" not in "".join(report().itertext())


def _many(count):
    return Candidates.of(
        Candidate(number, CELL, "ok", 1.0 + number % 7, {"wrcor": 1.0}, 10, 20, 0.1) for number in range(count)
    )


def _grown(volumes):
    values = [Quantity("wrcor", 1.0 + np.arange(len(volumes)) % 7, 1, False), Quantity("flops", volumes, -1, True)]
    return Tradeoff(values, np.array([6, 1, 4]), [CELL] * 3, volumes, {"wrcor": 1.0, "flops": 1e9})


def test_the_table_names_members_by_their_rank():
    rows = table(report(("wrcor", "-flops", "-params"), OF_THREE, shown=[1, 3, 5]))
    assert rows[0] == ["rank", "wrcor", "FLOPs", "parameters", "trial", "architecture"]
    assert [row[:5] for row in rows[1:]] == [
        ["1", "9.00", "50.0 M", "2.00 k", "10"],
        ["3", "5.00", "30.0 M", "1.00 k", "0"],
        ["5", "2.00", "10.0 M", "4.00 k", "50"],
    ]
    page = report(("wrcor", "-flops", "-params"), OF_THREE, shown=[1, 3, 5])
    assert "3 of the front of 5" in [text(one) for one in page.iter("h2")]
    assert "Front of 3" in [text(one) for one in report().iter("h2")]


def test_a_vote_among_the_objectives_is_a_column_and_other_costs_have_one_where_known():
    best = Candidate(0, CELL, "ok", 0.5, {"a": 1.0, "b": 2.0}, 10, 20, 0.1, memory=1_638_400, layers=53, latency=2.5)
    values = [Quantity("sjw", np.array([0.5]), 1, False), Quantity("latency", np.array([2.5]), -1, True)]
    tradeoff = Tradeoff(values, np.array([0]), [CELL], np.zeros(1), {"sjw": 0.0, "latency": 2.5})
    rows = table(report(candidates=Candidates.of([best]), best={1: best}, tradeoff=tradeoff))
    assert rows[0][:-1] == [
        "rank", "sjw", "a", "b", "FLOPs", "parameters", "memory", "layers", "latency", "trial",
    ]  # fmt: skip
    assert rows[1][:-1] == ["1", "0.50", "1.00", "2.00", "10.0", "20.0", "1.64 MB", "53", "2.50 ms", "0"]


def test_the_members_are_drawn_and_their_operations_compared_with_all():
    page = report(candidates=_many(20))
    captions = [text(figure[0]) for figure in page.iter("figure") if figure.get("class") == "picture"]
    assert captions[0] == "1 wrcor 9.00, FLOPs 50.0 M"
    assert len(captions) == 3
    (shares,) = [found for found in page.iter("table") if found.get("class") == "shares"]
    rows = [[text(cell) for cell in row] for row in shares.iter("tr")]
    assert rows[0] == ["edges", "front", "all", ""]
    # Of three members with six edges each, two have the cell with one pooling, as all of the others do.
    pooling = next(row for row in rows if row[0].startswith("pool"))
    assert pooling[1:3] == [f"{2 / 18:.0%}", f"{1 / 6:.0%}"]


def test_without_a_front_there_is_a_page():
    nothing = Candidate(0, CELL, "failed", None, {"wrcor": None}, 10, 20, 0.1, reason="no")
    values = [Quantity("wrcor", np.array([np.nan]), 1, False), Quantity("flops", np.array([10.0]), -1, True)]
    tradeoff = Tradeoff(values, np.array([], dtype=np.int64), [], np.zeros(1), {"wrcor": 0.0, "flops": 0.0})
    page = report(candidates=Candidates.of([nothing]), best={}, tradeoff=tradeoff)
    assert "No candidate has a score." in [text(one) for one in page.iter("p")]
    assert not charts(page)
