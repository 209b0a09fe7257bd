"""All proxies as a table: for `python -m wrcor_ext.score --list`, for programs, and for the documentation."""

from __future__ import annotations

import re

from rich.table import Table
from rich.text import Text

from wrcor_ext import proxies
from wrcor_ext.plan import passes_in_words, plan
from wrcor_ext.proxies import Proxy


def facts() -> list[dict[str, object]]:
    """One entry per proxy in JSON types, in order of registration; passes are those that it takes alone."""
    return [_facts(proxies.get(name)) for name in proxies.names()]


def _facts(proxy: Proxy) -> dict[str, object]:
    alone = plan([proxy])
    return {
        "name": proxy.name,
        "aliases": list(proxy.aliases),
        "higher_is_better": proxy.higher_is_better,
        "forwards": alone.forwards,
        "backwards": alone.backwards,
        "needs_labels": proxy.needs_labels,
        "deterministic": proxy.deterministic,
        "paper": proxy.paper,
        "summary": proxy.summary,
    }


def table() -> Table:
    """The same for people."""
    drawn = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("name", "aliases", "better", "takes", "paper"):
        drawn.add_column(column, overflow="fold")
    for name in proxies.names():
        proxy = proxies.get(name)
        drawn.add_row(*map(Text, (name, ", ".join(proxy.aliases), _better(proxy), _takes(proxy), proxy.paper)))
    return drawn


def markdown() -> str:
    """The same for the documentation, with the formulas."""
    lines = ["| name | formula | better | takes | paper |", "|---|---|---|---|---|"]
    for name in proxies.names():
        proxy = proxies.get(name)
        called = ", ".join(f"`{name}`" for name in (name, *proxy.aliases))
        paper = re.sub(r"arXiv (\d{4}\.\d{5}(v\d+)?)", r"[arXiv \1](https://arxiv.org/abs/\1)", proxy.paper)
        cells = (called, proxy.summary.rstrip("."), _better(proxy), _takes(proxy), paper)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _better(proxy: Proxy) -> str:
    return "higher" if proxy.higher_is_better else "lower"


def _takes(proxy: Proxy) -> str:
    alone = plan([proxy])
    parts = [passes_in_words(alone.forwards, alone.backwards)]
    if proxy.needs_labels:
        parts.append("labels")
    if not proxy.deterministic:
        parts.append("random numbers")
    return ", ".join(parts)
