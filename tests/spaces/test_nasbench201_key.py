"""Canonical keys against two oracles that know nothing of them: a toy algebra over all cells, and real networks."""

from __future__ import annotations

from itertools import groupby, permutations

import numpy as np
import pytest
import torch

from wrcor_ext import spaces
from wrcor_ext.spaces.nasbench201_cell import EDGES, OPS
from wrcor_ext.spaces.nets.nasbench201 import InferCell

SPACE = spaces.get("nasbench201")
CELLS = list(SPACE.enumerate())


def cell(text):
    """`text` abbreviates the six operations: none, skip, 1x1, 3x3, pool by their first letters n s 1 3 p."""
    return tuple({"n": OPS[0], "s": OPS[1], "1": OPS[2], "3": OPS[3], "p": OPS[4]}[letter] for letter in text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("3nnnsn", "nnn3nn", True),  # a node that is one skip of another is that node
        ("3nsnns", "nnn3nn", True),
        ("3nnnpn", "nnn3nn", False),
        ("1nnn3n", "3nnn1n", False),
        ("n13nnn", "nnnnnn", True),  # nothing reaches the output
        ("n13nnn", "nnn3nn", False),
        ("nn3nn1", "nnnnnn", True),  # a convolution of nothing is nothing
        ("31nnsp", "13nnps", True),  # the inner nodes change places
        ("31nnsp", "13nnsp", False),
        ("3ssnnp", "3nnppn", True),  # the pooling of a sum is the sum of the poolings
        ("3ssnn1", "3nn11n", False),  # of a convolution it is not true
        ("33nnp1", "3nsnp1", False),  # two convolutions with weights of their own are not one used twice
        ("33nnss", "3nsnss", False),
        ("3nsnss", "3nnnsn", False),  # a sum with itself is twice the value
        ("snnssn", "nnnsnn", False),
    ],
)
def test_rules_one_by_one(one, other, same):
    assert (SPACE.key(cell(one)) == SPACE.key(cell(other))) is same


def test_keys_read_as_documented():
    assert SPACE.key(cell("3s1nps")) == "1=1x1(2);2=3x3(x);1+p2+x"
    assert SPACE.key(cell("nnnnnn")) == "0"


def authors_formula(ops, *, drop_none):
    """The expanded formula by which the benchmark's authors count: `none`, where it is heeded, stays as a term."""
    nodes = ["0"]
    edges = iter(ops)
    for node in (1, 2, 3):
        terms = []
        for source in range(node):
            op = next(edges)
            if drop_none and (op == "none" or nodes[source] == "#"):
                terms.append("#")
            elif op == "skip_connect":
                terms.append(nodes[source])
            else:
                terms.append(f"({nodes[source]})@{op}")
        nodes.append("+".join(sorted(terms)))
    return nodes[3]


def test_number_of_keys():
    # The published counts, to be sure that the space is the same; and ours, by stricter and sounder rules.
    assert len({authors_formula(ops, drop_none=False) for ops in CELLS}) == 12_751
    assert len({authors_formula(ops, drop_none=True) for ops in CELLS}) == 6_466
    assert len({SPACE.key(ops) for ops in CELLS}) == 5_044


def toy_signature(ops, weights, pool, x):
    """Mean over all ways to hand out six weights to the six edges of a non-linear function of the cell's output.

    The toy world: a node is a vector, a convolution keeps zero at zero and is not linear, pooling is a matrix. Cells
    that are equal for corresponding weights have equal means, whatever their edges are called.
    """
    count = len(weights["nor_conv_1x1"])
    nodes = [np.broadcast_to(x, (count, len(x)))] + [np.zeros((count, len(x)))] * 3
    for edge, ((node, source), op) in enumerate(zip(EDGES, ops, strict=True)):
        value = nodes[source]
        if op == "none":
            continue
        if op == "avg_pool_3x3":
            value = value @ pool
        elif op != "skip_connect":
            value = np.tanh(np.einsum("nij,nj->ni", weights[op][:, edge], value))
        nodes[node] = nodes[node] + value
    return np.exp(nodes[3] * 0.7 - 0.1).mean(axis=0)


def test_keys_divide_all_cells_as_a_toy_algebra_does():
    rng = np.random.default_rng(0)
    width = 3
    assignments = np.array(list(permutations(range(6))))
    weights = {op: rng.standard_normal((6, width, width))[assignments] for op in ("nor_conv_1x1", "nor_conv_3x3")}
    pool, x = rng.uniform(0.1, 1, (width, width)) / width, rng.standard_normal(width)
    signatures = np.array([toy_signature(ops, weights, pool, x) for ops in CELLS])

    # Equal up to rounding: neighbours in sorted order; a gap of the first number separates.
    order = np.argsort(signatures[:, 0])
    gaps = np.diff(signatures[order, 0])
    assert not np.any((gaps > 1e-12) & (gaps < 1e-10)), "rounding and true differences must not meet"
    groups = np.concatenate([[0], np.cumsum(gaps > 1e-11)])
    keys = [SPACE.key(CELLS[i]) for i in order]
    assert len(set(keys)) == len(set(groups)) == len(set(zip(keys, groups, strict=True)))


class Network:
    """A real cell at 4 channels in float64, train mode; `outputs` takes weights per edge and operation."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.images = torch.from_numpy(rng.standard_normal((3, 4, 6, 6)))
        self.weights = {
            op: torch.from_numpy(rng.standard_normal((6, 4, 4, k, k))) for op, k in zip(OPS[2:4], (1, 3), strict=True)
        }

    def output(self, ops, order):
        module = InferCell(ops, 4).double()
        with torch.no_grad():
            for edge, (op, (node, source)) in enumerate(zip(ops, EDGES, strict=True)):
                if op in self.weights:
                    module.edges[f"{node}<-{source}"][1].weight.copy_(self.weights[op][order[edge]])
            return module(self.images)

    def can_agree(self, one, other):
        """Whether some way to hand out the weights of `one` makes `other` compute the same."""
        target = self.output(one, range(6))
        # Of the 720 orders, one for each that gives the convolutions of `other` different weights.
        convolutions = [edge for edge, op in enumerate(other) if op in self.weights]
        orders = {tuple(order[edge] for edge in convolutions): order for order in permutations(range(6))}
        return any(torch.allclose(self.output(other, order), target, rtol=1e-9, atol=1e-9) for order in orders.values())


def test_equal_keys_are_equal_networks_for_corresponding_weights():
    rng = np.random.default_rng(3)
    network = Network(4)
    by_key = sorted(CELLS, key=SPACE.key)
    families = [list(family) for _, family in groupby(by_key, key=SPACE.key)]
    families = [family for family in families if len(family) > 1]
    for index in rng.choice(len(families), size=25, replace=False):
        one, other = (families[index][i] for i in rng.choice(len(families[index]), size=2, replace=False))
        assert network.can_agree(one, other), (one, other)


def test_different_keys_are_different_networks():
    rng = np.random.default_rng(5)
    network = Network(6)
    for _ in range(25):
        one = CELLS[rng.integers(len(CELLS))]
        other = SPACE.mutate(one, rng)
        if SPACE.key(one) != SPACE.key(other):
            assert not network.can_agree(one, other), (one, other)
