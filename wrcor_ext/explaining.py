"""`--explain`: which passes the proxies of a command take together."""

from __future__ import annotations

import json

from wrcor_ext import proxies
from wrcor_ext.plan import plan
from wrcor_ext.reporting import consoles
from wrcor_ext.scoring_options import ScoringOptions


def show(config: ScoringOptions) -> None:
    """Prints the plan for one model and one batch: a line per pass, then what they are together; or JSON."""
    planned = plan([proxies.get(name) for name in config.proxies])
    lines = planned.explain()
    if planned.level_weighted and config.tail == "auto":
        lines.append("and a forward of two images before them, to find the tail")
    if config.json:
        print(json.dumps({"passes": lines, "forwards": planned.forwards, "backwards": planned.backwards}, indent=2))
        return
    for line in lines:
        consoles.output().print(line, markup=False, soft_wrap=True)
