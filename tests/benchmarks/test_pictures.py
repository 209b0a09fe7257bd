"""Pictures and the page of goals, made from results files."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import plot
import pytest
import summary
from labels import spread
from schema import write_csv


@pytest.fixture
def ops_rows(row):
    rows = [row(benchmark="ops", case="copy_ of a large tensor", backend="torch", gb_per_s=20.0, seconds=0.1)]
    for backend, speed in (("native", 5.0), ("torch", 0.2), ("numpy", 0.9)):
        facts = {"benchmark": "ops", "backend": backend, "baseline": "native"}
        rows += [
            row(case="accumulate_correlation, nasbench201", shape=f"64x{d}", gb_per_s=speed, seconds=1 / speed, **facts)
            for d in (4096, 16384)
        ]
        rows += [row(case="slogdet", shape=f"{b}x64x64", dtype="float64", seconds=b / speed, **facts) for b in (1, 64)]
        rows.append(
            row(case="response_correlation", shape="64x131072", seconds=1 / speed, share_of_copy=speed / 20, **facts)
        )
    return rows


@pytest.fixture
def score_rows(row):
    seconds = {"training step": 4.0, "forward + input gradient": 2.0, "wrcor": 2.2, "numpy on the host": 44.0}
    facts = {"benchmark": "score", "case": "nasbench201 all-conv", "shape": "64x3x32x32"}
    rows = [row(backend=name, baseline="training step", seconds=s, ratio=s / 4, **facts) for name, s in seconds.items()]
    staged = facts | {"case": "nasbench201 all-conv, stages"}
    return rows + [
        row(backend=name, baseline="wrcor", seconds=s, **staged) for name, s in (("forward", 1.0), ("rest", -0.1))
    ]


@pytest.mark.parametrize("kind", ["ops_rows", "score_rows"])
def test_picture_is_a_small_svg_with_labels(request, tmp_path, kind):
    rows = request.getfixturevalue(kind)
    for name in ("a.svg", "b.svg"):
        plot.save(plot.draw(rows), tmp_path / name)
    drawn = (tmp_path / "a.svg").read_bytes()
    assert drawn == (tmp_path / "b.svg").read_bytes()
    assert len(drawn) < 100_000
    texts = " ".join(ElementTree.fromstring(drawn).itertext())
    wanted = {"ops_rows": ["native", "numpy", "10 k", "a copy"], "score_rows": ["training step", "0.55x", "-100 ms"]}
    assert all(word in texts for word in ["a processor", *wanted[kind]])


def test_picture_leaves_out_what_has_no_figure(ops_rows, row, tmp_path):
    ops_rows.append(row(benchmark="ops", case="slogdet", shape="1x64x64", backend="broken", dtype="float64", samples=0))
    plot.save(plot.draw(ops_rows), tmp_path / "a.svg")
    assert "broken" not in (tmp_path / "a.svg").read_text()


def test_labels_are_spread():
    placed = spread({"low": 1.0, "a": 100.0, "b": 101.0, "c": 102.0}, apart=2.0)
    assert placed["low"] == 1.0
    assert placed["b"] / placed["a"] == pytest.approx(2.0)
    assert placed["c"] / placed["b"] == pytest.approx(2.0)
    assert placed["b"] == pytest.approx(101.0, rel=0.01)


def test_without_a_card_the_column_is_empty(ops_rows, score_rows):
    page = summary.text({"ops.csv": ops_rows, "score.csv": score_rows})
    assert "No GPU has been at hand yet" in page
    assert "| what | goal | a processor, 1 thread(s) | GPU |" in page
    assert page.count("|  |\n") == len(summary.GOALS)
    assert "over its forward + input gradient | at most 1.2x | 1.10x |  |" in page
    assert "from the same hooks, over `wrcor` | at least 15x | 20.00x |  |" in page
    assert "bandwidth of a copy | at least 75 % | 25 % |  |" in page


def test_figures_of_a_card_fill_its_column(score_rows, row):
    facts = {"case": "nasbench201 all-conv", "device": "cuda", "hardware": "NVIDIA H100"}
    card = [row(backend=b, seconds=s, **facts) for b, s in (("wrcor", 1.0), ("numpy on the host", 16.0))]
    page = summary.text({"score.csv": score_rows, "score_nvidia-h100.csv": card})
    assert "No GPU" not in page
    assert "| what | goal | a processor, 1 thread(s) | NVIDIA H100 |" in page
    assert "at least 15x | 20.00x | 16.00x |" in page


def test_summary_reads_a_folder(tmp_path, ops_rows, capsys):
    write_csv(tmp_path / "ops.csv", ops_rows)
    (tmp_path / "rank.csv").write_text("measure,value\n")
    assert summary.main(tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"ops.csv", "ops.svg", "rank.csv", "README.md"}
    assert "- [ops.csv](ops.csv), [drawn](ops.svg)\n" in (tmp_path / "README.md").read_text()


def test_summary_without_matplotlib(tmp_path, ops_rows, monkeypatch, capsys):
    write_csv(tmp_path / "ops.csv", ops_rows)
    monkeypatch.setattr(summary.importlib.util, "find_spec", lambda name: None)
    assert summary.main(tmp_path) == 0
    assert "no pictures: there is no matplotlib" in capsys.readouterr().out
    assert "- [ops.csv](ops.csv)\n" in (tmp_path / "README.md").read_text()


def test_plot_names_what_it_passes_over(tmp_path, monkeypatch, capsys):
    (tmp_path / "rank.csv").write_text("measure,value\n")
    monkeypatch.setattr("sys.argv", ["plot.py", str(tmp_path / "rank.csv")])
    assert plot.main() == 1
    assert "passed over: rank.csv" in capsys.readouterr().err
