"""The report of a search: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from wrcor_ext.reporting import drawing, numbers
from wrcor_ext.reporting.style import STYLE
from wrcor_ext.reporting.svg import Axis, Mark, Point, chart


@dataclass(frozen=True)
class Candidate:
    """One trial as a report sees it.

    Attributes:
        trial: number, from 0.
        architecture: as text.
        status: `"ok"`, `"degenerate"` or `"failed"`.
        scores: value by proxy name, that of the objective first; None where there is none.
        flops: multiply-adds of one image; None where they cannot be counted.
        params: number of parameters, likewise.
        seconds: wall time of its evaluation.
        seen_before: whether its scores were taken over from an isomorphic candidate.
        direction: -1 where the first score is the better the lower it is.
    """

    trial: int
    architecture: str
    status: str
    scores: Mapping[str, float | None]
    flops: int | None
    params: int | None
    seconds: float
    seen_before: bool = False
    direction: int = 1

    @property
    def objective(self) -> float | None:
        """What is maximised: the first score times the direction, None unless ok."""
        value = next(iter(self.scores.values()), None) if self.status == "ok" else None
        return None if value is None else self.direction * value


@dataclass(frozen=True)
class Report:
    """What a report shows.

    Attributes:
        title: its heading.
        space: name of the search space.
        objective: name of what is maximised.
        candidates: all trials in order.
        best: the best of them, best first, each architecture once.
        configuration: option values by name.
        environment: versions and the like by name.
    """

    title: str
    space: str
    objective: str
    candidates: Sequence[Candidate]
    best: Sequence[Candidate]
    configuration: Mapping[str, object]
    environment: Mapping[str, object]

    def html(self) -> str:
        """The whole page. All text is escaped; scripts, fonts and links to elsewhere there are none."""
        title = escape(self.title)
        sections = [self._tiles(), self._best_table(), self._charts(), self._cell(), self._facts()]
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{title}</title><style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n"
            + "\n".join(section for section in sections if section)
            + "\n</main></body></html>\n"
        )

    def _tiles(self) -> str:
        counts = Counter(candidate.status for candidate in self.candidates)
        tiles = {
            "trials": str(len(self.candidates)),
            f"best {self.objective}": numbers.score(self.best[0].objective if self.best else None),
            "degenerate": str(counts["degenerate"]),
            "failed": str(counts["failed"]),
            "seen before": str(sum(candidate.seen_before for candidate in self.candidates)),
            "scoring time": numbers.duration(sum(candidate.seconds for candidate in self.candidates)),
        }
        items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles.items())
        return f'<dl class="tiles">{items}</dl>'

    def _best_table(self) -> str:
        if not self.best:
            return "<p>No candidate has a score.</p>"
        proxies = list(self.best[0].scores)
        head = ["rank", *proxies, "FLOPs", "parameters", "trial", "architecture"]
        rows = []
        for rank, candidate in enumerate(self.best, start=1):
            values = [numbers.score(candidate.scores[name]) for name in proxies]
            values += [numbers.short(candidate.flops), numbers.short(candidate.params), str(candidate.trial)]
            # The names once more, for narrow windows: there a row becomes a block, and the head is not shown.
            cells = "".join(
                f'<td data-name="{escape(name)}">{escape(value)}</td>'
                for name, value in zip(head, (str(rank), *values), strict=False)
            )
            rows.append(f'<tr>{cells}<td class="text"><code>{escape(candidate.architecture)}</code></td></tr>')
        heading = "".join(f"<th>{escape(name).replace('_', '_<wbr>')}</th>" for name in head)  # may break there
        return (
            f'<section><h2>Best {len(rows)}</h2><table class="numbers"><thead><tr>{heading}</tr>'
            f"</thead><tbody>{''.join(rows)}</tbody></table></section>"
        )

    def _charts(self) -> str:
        scored = [(c, c.objective) for c in self.candidates if c.objective is not None]
        if not scored:
            return ""
        score_axis = _score_axis([value for _, value in scored], self.objective)
        hidden = sum(value < score_axis.low for _, value in scored)
        note = f"<p>Scores below the charts: {hidden}.</p>" if hidden else ""
        over_time = chart(
            Axis.over([c.trial for c, _ in scored], "trial", lambda value: f"{value:.0f}"),
            score_axis,
            title=f"{self.objective} of each trial, and the best so far",
            dots=[(c.trial, value) for c, value in scored],
            steps=_best_so_far(scored, score_axis.low),
        )
        figures = [f"<figure><figcaption>Best so far</figcaption>{over_time}</figure>"]
        counted = [(c.flops, value) for c, value in scored if c.flops is not None]
        if counted:
            against_cost = chart(
                Axis.over([flops for flops, _ in counted], "FLOPs"),
                score_axis,
                title=f"{self.objective} against FLOPs, the best five marked",
                dots=counted,
                marks=[
                    Mark(c.flops, c.objective, f"trial {c.trial}: {numbers.score(c.objective)}")
                    for c in self.best
                    if c.objective is not None and c.flops is not None
                ],
            )
            figures.append(f"<figure><figcaption>Score against FLOPs</figcaption>{against_cost}</figure>")
        return f'<section class="charts">{"".join(figures)}</section>{note}'

    def _cell(self) -> str:
        picture = drawing.element(self.best[0].architecture, self.space) if self.best else None
        return f'<section><h2>Best cell</h2><div class="cell">{picture}</div></section>' if picture else ""

    def _facts(self) -> str:
        tables = (("Configuration", self.configuration), ("Environment", self.environment))
        return '<section class="facts">' + "".join(_fact_table(*table) for table in tables) + "</section>"


def _fact_table(heading: str, facts: Mapping[str, object]) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(_shown(value))}</td></tr>" for name, value in facts.items())
    return f"<div><h2>{escape(heading)}</h2><table>{rows}</table></div>"


def _shown(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _score_axis(values: Sequence[float], objective: str) -> Axis:
    """An axis for all scores but the far low ones: a few collapsed networks must not flatten the rest."""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 10], ordered[-1]
    floor = low - (high - low)
    return Axis.over([value for value in ordered if value >= floor], objective, lambda value: f"{value:.6g}")


def _best_so_far(scored: Sequence[tuple[Candidate, float]], floor: float) -> list[Point]:
    """Where the best score rose, and the end; what lies under the chart begins at its floor."""
    points: list[Point] = []
    best = float("-inf")
    for candidate, value in scored:
        if value > best:
            best = value
            points.append((candidate.trial, max(value, floor)))
    points.append((scored[-1][0].trial, max(best, floor)))
    return points
