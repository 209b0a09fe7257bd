"""Chooses who answers for the graphs of NAS-Bench-101: the compiled `wrcor_ext._spaces`, or its twin in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, cast

from wrcor_ext.spaces import nasbench101_graph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class GraphFunctions(Protocol):
    """What both offer; `wrcor_ext.spaces.nasbench101_graph` documents each function."""

    def valid(self, code: int) -> bool: ...  # noqa: D102
    def prune(self, code: int) -> int: ...  # noqa: D102
    def cell_hash(self, code: int) -> str: ...  # noqa: D102
    def graph_classes(self) -> list[tuple[int, list[list[int]]]]: ...  # noqa: D102
    def enumerate_codes(self) -> NDArray[np.uint64]: ...  # noqa: D102


def choose() -> tuple[GraphFunctions, Literal["native", "python"]]:
    """The functions to use, and which they are."""
    try:
        from wrcor_ext import _spaces  # type: ignore[attr-defined,unused-ignore]
    except ImportError:  # not compiled, or for another Python version
        return cast(GraphFunctions, nasbench101_graph), "python"
    return cast(GraphFunctions, _spaces), "native"


graph, BACKEND = choose()
