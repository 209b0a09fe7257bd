"""Zero-shot neural architecture search with weighted response correlation (WRCor, arXiv 2507.08841).

`score` ranks untrained networks from one mini-batch; `python -m wrcor_ext.search` searches with it;
`python -m wrcor_ext.info` tells which compiled backend answers.
"""

from __future__ import annotations

from wrcor_ext.errors import BackendError, InputError, WrcorError
from wrcor_ext.results import ProxyResult, Scores
from wrcor_ext.scoring import score

__version__ = "0.1.0"

__all__ = ["BackendError", "InputError", "ProxyResult", "Scores", "WrcorError", "__version__", "score"]
