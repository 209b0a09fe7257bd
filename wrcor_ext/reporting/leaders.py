"""The best candidates of a report: a table with all their numbers, and their drawings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

from wrcor_ext.reporting import drawing, numbers
from wrcor_ext.reporting.candidate import Candidate
from wrcor_ext.reporting.costs import COSTS
from wrcor_ext.reporting.tradeoff import Tradeoff

# Costs that have a column even where nobody knows them: every other space does.
_USUAL = ("flops", "params")


def table(best: Mapping[int, Candidate], objective: str, tradeoff: Tradeoff | None) -> str:
    """The best candidates by rank, of several objectives those of the front."""
    if not best:
        return "<p>No candidate has a score.</p>"
    columns = dict(_columns(best, objective, tradeoff))
    rows = []
    for candidate, *values in zip(best.values(), *columns.values(), strict=True):
        # The names once more, for narrow windows: there a row becomes a block, and the head is not shown.
        cells = "".join(
            f'<td data-name="{escape(name)}">{escape(value)}</td>' for name, value in zip(columns, values, strict=True)
        )
        rows.append(f'<tr>{cells}<td class="text"><code>{escape(candidate.architecture)}</code></td></tr>')
    head = [*columns, "architecture"]
    headings = "".join(f"<th>{escape(name).replace('_', '_<wbr/>')}</th>" for name in head)  # may break there
    return (
        f'<section><h2>{_heading(best, tradeoff)}</h2><table class="numbers"><thead><tr>{headings}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></section>"
    )


def drawings(best: Mapping[int, Candidate], space: str, tradeoff: Tradeoff | None) -> str:
    """Pictures of the best candidates, where their space has any."""
    shown = []
    for rank, candidate in best.items():
        picture = drawing.element(candidate.architecture, space)
        if picture:
            if tradeoff is None:
                facts = f"{numbers.score(candidate.objective)}, {numbers.short(candidate.flops)} FLOPs"
            else:
                facts = tradeoff.described(rank)
            caption = f"<figcaption><b>{rank}</b> {escape(facts)}</figcaption>"
            shown.append(f'<figure class="picture">{caption}{picture}</figure>')
    return f'<section class="pictures">{"".join(shown)}</section>' if shown else ""


def _heading(best: Mapping[int, Candidate], tradeoff: Tradeoff | None) -> str:
    if tradeoff is None:
        return f"Best {len(best)}"
    everyone = len(tradeoff.members)
    return f"Front of {everyone}" if len(best) == everyone else f"{len(best)} of the front of {everyone}"


def _columns(
    best: Mapping[int, Candidate], objective: str, tradeoff: Tradeoff | None
) -> Iterator[tuple[str, list[str]]]:
    candidates = list(best.values())
    yield "rank", list(map(str, best))
    if tradeoff is None:
        objectives = {objective: [one.objective for one in candidates]}
    else:
        objectives = {one.name: [one.values[tradeoff.place(rank)] for rank in best] for one in tradeoff.quantities}
    proxies = list(candidates[0].scores)
    for name, values in objectives.items():
        if name not in proxies and name not in COSTS:  # no recorded score: a vote, or one that is turned round
            yield name, list(map(numbers.score, values))
    for name in proxies:
        yield name, [numbers.score(one.scores[name]) for one in candidates]
    for name, cost in COSTS.items():
        known = [one.costs[name] for one in candidates]
        if name in _USUAL or known.count(None) < len(known):
            yield cost.title, list(map(cost.text, known))
    yield "trial", [str(one.trial) for one in candidates]
