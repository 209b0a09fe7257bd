"""The report of a search: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from wrcor_ext.reporting import figures, leaders, sections, tradeoff_figures
from wrcor_ext.reporting.candidate import Candidate, Candidates
from wrcor_ext.reporting.picture import DRAWING_STYLE
from wrcor_ext.reporting.style import STYLE
from wrcor_ext.reporting.tradeoff import Tradeoff


@dataclass(frozen=True)
class Report:
    """What a report shows.

    Attributes:
        title: its heading.
        state: how far the search is, in a sentence or two.
        space: name of the search space.
        objective: name of what is maximised; of several objectives of the first one.
        candidates: all trials in order.
        best: the best of them by rank, best first, each architecture once; of several objectives some of the front.
        configuration: option values by name.
        environment: versions and the like by name.
        tradeoff: of several objectives, what was found; None of one.
    """

    title: str
    state: str
    space: str
    objective: str
    candidates: Candidates
    best: Mapping[int, Candidate]
    configuration: Mapping[str, object]
    environment: Mapping[str, object]
    tradeoff: Tradeoff | None = None

    def html(self) -> str:
        """The whole page. All text is escaped; scripts, fonts and links to elsewhere there are none."""
        title = escape(self.title)
        charts = self._charts()
        best = [
            leaders.table(self.best, self.objective, self.tradeoff),
            leaders.drawings(self.best, self.space, self.tradeoff),
        ]
        parts = [
            f"<p>{escape(self.state)}</p>",
            sections.tiles(self.candidates, self.best, self.objective, self.tradeoff),
            # A front may fill pages: its shape comes first.
            *([*best, charts] if self.tradeoff is None else [charts, *best]),
            sections.side_by_side(
                sections.correlations(self.candidates),
                sections.operations(self.candidates, self.space, self.tradeoff),
                sections.failures(self.candidates),
            ),
            sections.side_by_side(
                sections.facts("Configuration", self.configuration), sections.facts("Environment", self.environment)
            ),
        ]
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
            f"<title>{title}</title><style>{STYLE}{DRAWING_STYLE}</style></head>\n<body><main><h1>{title}</h1>\n"
            + "\n".join(part for part in parts if part)
            + "\n</main></body></html>\n"
        )

    def _charts(self) -> str:
        if self.tradeoff is None:
            return figures.charts(self.candidates, self.best, self.objective)
        return tradeoff_figures.charts(self.candidates, self.best, self.objective, self.tradeoff)
