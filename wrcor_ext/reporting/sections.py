"""The numbers and tables of a report as HTML, but for those of the best candidates."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import islice

import numpy as np

from wrcor_ext.reporting import numbers
from wrcor_ext.reporting.candidate import Candidate, Candidates
from wrcor_ext.reporting.statistics import operation_shares, spearman
from wrcor_ext.reporting.tradeoff import Tradeoff
from wrcor_ext.reporting.values import shown

# Reading more architectures than this takes long and changes no share by as much as a percent.
MAX_READ = 20_000

# Kinds of failures that are listed one by one; what is rarer is summed up.
MAX_REASONS = 10

# Long enough for a sentence of PyTorch's, short enough for a line or two on a phone.
_MAX_REASON = 200


def tiles(candidates: Candidates, best: Mapping[int, Candidate], objective: str, tradeoff: Tradeoff | None) -> str:
    """The numbers at the top."""
    if tradeoff is None:
        found = {f"best {objective}": numbers.score(next((one.objective for one in best.values()), None))}
    else:
        found = {"front": str(len(tradeoff.members)), "hypervolume": numbers.short(tradeoff.volume, 4)}
    shown = {
        "trials": str(len(candidates)),
        **found,
        "degenerate": str(candidates.statuses["degenerate"]),
        "failed": str(candidates.statuses["failed"]),
        "seen before": str(len(candidates) - len(candidates.own)),
        **({"from the cache": str(candidates.cached)} if candidates.cached else {}),
        "scoring time": numbers.duration(candidates.seconds),
    }
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in shown.items())
    return f'<dl class="tiles">{items}</dl>'


def side_by_side(*parts: str) -> str:
    """Cards in as many columns as the window has room for."""
    shown = [f"<div>{part}</div>" for part in parts if part]
    return f'<section class="cards">{"".join(shown)}</section>' if shown else ""


def correlations(candidates: Candidates) -> str:
    """Spearman's rank correlation of each pair of recorded scores, over architectures that were scored themselves."""
    columns = candidates.scores
    names = list(columns)
    if len(names) < 2:
        return ""
    head = "".join(f'<th scope="col">{number}</th>' for number in range(1, len(names) + 1))
    rows = []
    for number, name in enumerate(names, start=1):
        cells = "".join(_correlation(spearman(columns[name], columns[other]), name == other) for other in names)
        label = f"{number} {escape(name).replace('_', '_<wbr/>')}"
        rows.append(f'<tr><th scope="row">{label}</th>{cells}</tr>')
    return (
        "<h2>Rank correlation of the scores</h2><p>Spearman, over different architectures.</p>"
        f'<table class="matrix"><thead><tr><td></td>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _correlation(value: float | None, same: bool) -> str:
    if same:
        return '<td class="same">1</td>'
    if value is None:
        return "<td>\N{EN DASH}</td>"
    sign = "minus" if value < 0 else "plus"
    return f'<td class="{sign}" style="--strength:{abs(value):.2f}">{value:.2f}</td>'


def operations(candidates: Candidates, space: str, tradeoff: Tradeoff | None) -> str:
    """How often each operation appears among the best tenth, or on the front, and among all with a score."""
    objective = candidates.objective[candidates.own]
    order = np.argsort(-objective, kind="stable")[: np.count_nonzero(~np.isnan(objective))]  # NaN sorts last
    numbers = candidates.trial[candidates.own[order]][:: max(1, -(-len(order) // MAX_READ))]
    ranked = [candidates.architecture(number) for number in numbers.tolist()]
    if tradeoff is None:
        among, shares = "best tenth", operation_shares(space, ranked)
    else:
        among, shares = "front", operation_shares(space, ranked, tradeoff.architectures)
    if not shares:
        return ""
    rows = []
    for kind, of_kind in shares.items():
        rows.append(
            f'<tr class="kind"><th scope="rowgroup">{escape(kind)}</th><td>{among}</td><td>all</td><td></td></tr>'
        )
        for name, (best, everyone) in of_kind.items():
            bars = f'<i class="best" style="width:{best:.1%}"></i><i style="width:{everyone:.1%}"></i>'
            rows.append(
                f'<tr><th scope="row">{escape(name)}</th><td class="best">{best:.0%}</td><td>{everyone:.0%}</td>'
                f'<td class="bars">{bars}</td></tr>'
            )
    return f'<h2>Operations</h2><table class="shares"><tbody>{"".join(rows)}</tbody></table>'


def failures(candidates: Candidates) -> str:
    """What went wrong, how often, and where first."""
    kinds = candidates.failures
    if not kinds:
        return ""
    rows = [
        f'<tr><td>{found.count}</td><td>{escape(status)}</td><td class="text">{escape(_shortened(reason))}</td>'
        f"<td>{found.first}</td></tr>"
        for (status, reason), found in islice(kinds.items(), MAX_REASONS)
    ]
    rest = len(kinds) - len(rows)
    more = f"<p>And {rest} rarer kinds.</p>" if rest else ""
    head = "<th>count</th><th>status</th><th>reason</th><th>first trial</th>"
    return (
        f'<h2>What went wrong</h2><table class="failures"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>{more}"
    )


def _shortened(reason: str) -> str:
    return reason if len(reason) <= _MAX_REASON else f"{reason[:_MAX_REASON]}\N{HORIZONTAL ELLIPSIS}"


def facts(heading: str, values: Mapping[str, object]) -> str:
    """A table of names and values."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(shown(value))}</td></tr>" for name, value in values.items())
    return f'<h2>{escape(heading)}</h2><table class="facts"><tbody>{rows}</tbody></table>'
