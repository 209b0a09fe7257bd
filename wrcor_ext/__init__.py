"""Zero-shot neural architecture search with weighted response correlation (WRCor, arXiv 2507.08841).

`score` ranks untrained networks from one mini-batch; `python -m wrcor_ext.search` searches with it;
`python -m wrcor_ext.info` tells which compiled backend answers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from wrcor_ext.errors import BackendError, InputError, OutOfMemoryError, WrcorError

if TYPE_CHECKING:
    from wrcor_ext.results import ProxyResult, Scores
    from wrcor_ext.scoring import score, score_many
    from wrcor_ext.votes import vote

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "InputError",
    "OutOfMemoryError",
    "ProxyResult",
    "Scores",
    "WrcorError",
    "__version__",
    "score",
    "score_many",
    "vote",
]

# These bring torch: imported when first used, so that commands can answer `--help` and Ctrl-C before it is there.
_LATER = {
    "ProxyResult": "wrcor_ext.results",
    "Scores": "wrcor_ext.results",
    "score": "wrcor_ext.scoring",
    "score_many": "wrcor_ext.scoring",
    "vote": "wrcor_ext.votes",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
