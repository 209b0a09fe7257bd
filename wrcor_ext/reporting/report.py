"""The report of a search: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from wrcor_ext.reporting import figures, sections
from wrcor_ext.reporting.candidate import Candidate, Candidates
from wrcor_ext.reporting.picture import DRAWING_STYLE
from wrcor_ext.reporting.style import STYLE


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
    candidates: Candidates
    best: Sequence[Candidate]
    configuration: Mapping[str, object]
    environment: Mapping[str, object]

    def html(self) -> str:
        """The whole page. All text is escaped; scripts, fonts and links to elsewhere there are none."""
        title = escape(self.title)
        parts = [
            sections.tiles(self.candidates, self.best, self.objective),
            sections.best_table(self.best, self.objective),
            sections.drawings(self.best, self.space),
            figures.charts(self.candidates, self.best, self.objective),
            sections.side_by_side(
                sections.correlations(self.candidates),
                sections.operations(self.candidates, self.space),
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
