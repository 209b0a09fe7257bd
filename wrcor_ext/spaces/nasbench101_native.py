"""Chooses who answers for the graphs of NAS-Bench-101: the compiled `wrcor_ext._spaces`, or its twin in Python."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast

from wrcor_ext.spaces import nasbench101_graph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


EXTENSION = Path(__file__).resolve().parent.parent / f"_spaces{sysconfig.get_config_var('EXT_SUFFIX')}"


class GraphFunctions(Protocol):
    """What both offer; `wrcor_ext.spaces.nasbench101_graph` documents each function."""

    def valid(self, code: int) -> bool: ...  # noqa: D102
    def prune(self, code: int) -> int: ...  # noqa: D102
    def cell_hash(self, code: int) -> str: ...  # noqa: D102
    def graph_classes(self) -> list[tuple[int, list[list[int]]]]: ...  # noqa: D102
    def enumerate_codes(self) -> NDArray[np.uint64]: ...  # noqa: D102


def choose() -> tuple[GraphFunctions, Literal["native", "python"], str]:
    """The functions to use, which they are, and why: one sentence."""
    try:
        from wrcor_ext import _spaces  # type: ignore[attr-defined,unused-ignore]
    except ImportError as error:  # not compiled, or for another Python version
        return cast(GraphFunctions, nasbench101_graph), "python", _why_not(error)
    return cast(GraphFunctions, _spaces), "native", f"{EXTENSION.name} is loaded."


def _why_not(error: ImportError) -> str:
    if EXTENSION.is_file():
        return f"{EXTENSION.name} does not load: {error}."
    others = ", ".join(path.name for path in sorted(EXTENSION.parent.glob("_spaces.*.so")))
    return f"{EXTENSION.name} was not built" + (f", only {others} for another Python." if others else ".")


graph, BACKEND, REASON = choose()
