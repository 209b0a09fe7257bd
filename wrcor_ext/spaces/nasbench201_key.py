"""Canonical keys of NAS-Bench-201 cells: equal for cells that compute the same function for corresponding weights.

A cell is brought into a normal form in which every node is a sum (a multiset) of terms:

- a term is the cell's input `x` or the output of one convolution edge, behind any number of average poolings;
- `none` adds nothing, and `skip_connect` adds the terms of its source: a node that is one skip of another is it;
- average pooling has no weights and is linear: it adds the source's terms, each behind one pooling more;
- a convolution of a node without terms adds nothing: ReLU, convolution without bias and batch-norm keep zero at zero
  as long as the batch-norm's offset is zero, as it is in an untrained network;
- two convolution edges are two different terms even where operation and source agree: their weights differ;
- what does not reach the output is gone.

The key writes that down with the convolutions numbered so that the text is the smallest possible. The 15,625 cells
have 5,044 keys. The benchmark's authors count 12,751 with the skip rule alone, applied to expanded formulas, and 6,466
with their rule for `none`. That rule keeps zeros as terms of a sum, so it separates equal functions, and it expands
shared nodes, so it merges a convolution used twice with two convolutions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, groupby, permutations, product

from wrcor_ext.spaces.nasbench201_cell import EDGES, SIZE, Cell

_SYMBOLS = {"nor_conv_1x1": "1x1", "nor_conv_3x3": "3x3"}
_INPUT = -1  # the cell's input as the source of a term; a convolution has the number of its edge

_Sum = tuple[tuple[int, int], ...]  # terms: source, and the number of poolings behind it
_Convolutions = dict[int, tuple[str, _Sum]]  # edge: symbol and input


def _normal_form(cell: Cell) -> tuple[_Convolutions, _Sum]:
    """The convolutions and the output node, in terms."""
    convolutions: _Convolutions = {}
    nodes: list[_Sum] = [((_INPUT, 0),), (), (), ()]
    for edge, ((node, source), op) in enumerate(zip(EDGES, cell, strict=True)):
        value = nodes[source]
        if op == "skip_connect":
            nodes[node] += value
        elif op == "avg_pool_3x3":
            nodes[node] += tuple((origin, pools + 1) for origin, pools in value)
        elif op in _SYMBOLS and value:
            convolutions[edge] = (_SYMBOLS[op], value)
            nodes[node] += ((edge, 0),)
    return convolutions, nodes[3]


def _reaching(convolutions: _Convolutions, output: _Sum) -> list[int]:
    """The convolutions that the output depends on, in the order of their edges: each reads earlier ones only."""
    wanted = {origin for origin, _ in output}
    for edge in sorted(convolutions, reverse=True):
        if edge in wanted:
            wanted.update(origin for origin, _ in convolutions[edge][1])
    return [edge for edge in sorted(convolutions) if edge in wanted]


def _written(terms: _Sum, names: Mapping[int, str]) -> str:
    return "+".join(sorted("p" * pools + names[origin] for origin, pools in terms)) or "0"


def _expanded(convolutions: _Convolutions, edges: Sequence[int]) -> dict[int, str]:
    """Every convolution as a formula of the input alone: equal for any two that an isomorphism could exchange."""
    formulas = {_INPUT: "x"}
    for edge in edges:
        symbol, value = convolutions[edge]
        formulas[edge] = f"{symbol}({_written(value, formulas)})"
    return formulas


def _numberings(groups: Sequence[Sequence[int]]) -> Iterator[dict[int, str]]:
    """All ways to number the convolutions from 1, group by group."""
    for orders in product(*map(permutations, groups)):
        yield {_INPUT: "x", **{edge: str(number) for number, edge in enumerate(chain(*orders), start=1)}}


@lru_cache(maxsize=SIZE)
def canonical_key(cell: Cell) -> str:
    """The key of a valid cell: its convolutions and its output, as in `1=3x3(x);2=1x1(1+x);2+p1` (p: one pooling)."""
    convolutions, output = _normal_form(cell)
    edges = _reaching(convolutions, output)
    formula = _expanded(convolutions, edges).__getitem__
    groups = [list(group) for _, group in groupby(sorted(edges, key=formula), key=formula)]

    def text(names: Mapping[int, str]) -> str:
        definitions = (f"{names[edge]}={symbol}({_written(value, names)})" for edge, (symbol, value) in live)
        return ";".join([*sorted(definitions), _written(output, names)])

    live = [(edge, convolutions[edge]) for edge in edges]
    return min(map(text, _numberings(groups)))
