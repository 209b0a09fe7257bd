"""`--explain`: which passes the proxies of a command take together."""

from __future__ import annotations

import json
from collections.abc import Sequence

from wrcor_ext import proxies
from wrcor_ext.plan import plan
from wrcor_ext.reporting import consoles
from wrcor_ext.scoring_options import ScoringOptions


def show(config: ScoringOptions, names: Sequence[str], *, repeats: int = 1) -> None:
    """Prints the plan for one model: a line per pass, then what they are together; or JSON.

    Args:
        config: of the command.
        names: the proxies to compute.
        repeats: how often they are.
    """
    planned = plan([proxies.get(name) for name in names])
    lines = planned.explain()
    if planned.level_weighted and config.tail == "auto":
        lines.append("and a forward of two images before them, to find the tail")
    if repeats > 1:
        lines.append(f"all of that {repeats} times")
    thrift = planned.explain_thrift()
    if config.json:
        explained = {
            "passes": lines,
            "forwards": planned.forwards,
            "backwards": planned.backwards,
            "repeats": repeats,
            "where_memory_is_short": thrift,
        }
        print(json.dumps(explained, indent=2))
        return
    for line in [*lines, *thrift]:
        consoles.output().print(line, markup=False, soft_wrap=True)
