"""The policy of REINFORCE against torch's autograd and against counts of its draws; its optimiser against torch's."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, permutations, product

import numpy as np
import pytest
import torch

from wrcor_ext import spaces
from wrcor_ext.spaces import Encoding, Variable
from wrcor_ext.strategies.adam import Adam
from wrcor_ext.strategies.policy import FactorisedPolicy

PAIRS = tuple(combinations(range(4), 2))


class Mixed(Encoding[tuple[int, ...]]):
    """Three choices, of which the last makes the second variable mean nothing; and a pair out of four items."""

    variables = (
        Variable("first", ("a", "b", "c")),
        Variable("second", ("d", "e")),
        Variable("pair", tuple(map(str, PAIRS)), PAIRS),
    )

    def encode(self, arch):
        return arch

    def active(self, prefix):
        return tuple(prefix) != (2,)

    def _decode(self, codes):
        return tuple(codes)


def log_probability(encoding, logits, codes):
    """By the definition, in torch, to be differentiated."""
    total, start = torch.zeros((), dtype=torch.float64), 0
    for place, variable in enumerate(encoding.variables):
        width = 1 + max(map(max, variable.subsets)) if variable.subsets else len(variable.choices)
        own = logits[start : start + width]
        start += width
        if not encoding.active(codes[:place]):
            continue
        if not variable.subsets:
            total = total + torch.log_softmax(own, 0)[codes[place]]
            continue
        orders = []
        for order in permutations(variable.subsets[codes[place]]):
            left, chance = list(range(width)), torch.zeros((), dtype=torch.float64)
            for item in order:
                chance = chance + own[item] - torch.logsumexp(own[left], 0)
                left.remove(item)
            orders.append(chance)
        total = total + torch.logsumexp(torch.stack(orders), 0)
    assert start == len(logits)
    return total


def with_random_logits(encoding, rng, scale=1.0):
    policy = FactorisedPolicy(encoding)
    policy.restore((scale * rng.standard_normal(len(policy.logits))).tolist())
    return policy


@pytest.mark.parametrize("encoding", [Mixed(), *(spaces.get(name).encoding() for name in spaces.names())], ids=repr)
def test_the_gradient_is_that_of_the_log_probability(encoding):
    rng = np.random.default_rng(0)
    policy = with_random_logits(encoding, rng)
    for _ in range(5):
        codes = policy.draw(rng)
        logits = torch.tensor(policy.logits, requires_grad=True)
        log_probability(encoding, logits, codes).backward()
        np.testing.assert_allclose(policy.gradient(codes), logits.grad.numpy(), rtol=0, atol=1e-12)


def test_draws_have_the_probabilities_of_the_definition():
    rng, encoding = np.random.default_rng(1), Mixed()
    policy = with_random_logits(encoding, rng)
    counts = Counter(policy.draw(rng) for _ in range(40_000))
    total = 0.0
    for codes in product(range(3), range(2), range(6)):
        if codes[0] == 2 and codes[1] != 0:
            assert counts[codes] == 0
            continue
        chance = float(log_probability(encoding, torch.tensor(policy.logits), codes).exp())
        total += chance
        assert counts[codes] / 40_000 == pytest.approx(chance, abs=5 * (chance / 40_000) ** 0.5 + 1e-4)
    assert total == pytest.approx(1)


def test_a_fresh_policy_is_uniform_in_each_variable():
    rng, policy = np.random.default_rng(2), FactorisedPolicy(spaces.get("mobilenetv2").encoding())
    strides = Counter(policy.draw(rng)[-1] for _ in range(14_000))
    assert len(strides) == 35
    assert min(strides.values()) > 300  # of 400
    assert max(strides.values()) < 500


@pytest.mark.parametrize("scale", [100.0, 1e4])
def test_logits_of_any_size_give_draws_and_finite_gradients(scale):
    rng = np.random.default_rng(3)
    policy = with_random_logits(Mixed(), rng, scale)
    for codes in ((0, 0, 0), (1, 1, 3), (2, 0, 5), policy.draw(rng)):
        assert np.isfinite(policy.gradient(codes)).all()


def test_the_optimiser_steps_as_torchs_does():
    rng = np.random.default_rng(4)
    parameters = torch.nn.Parameter(torch.zeros(7, dtype=torch.float64))
    theirs = torch.optim.Adam([parameters], lr=1e-3, maximize=True)
    ours, position = Adam(7, 1e-3), np.zeros(7)
    for _ in range(50):
        gradient = rng.standard_normal(7) * (rng.random(7) < 0.7)
        parameters.grad = torch.tensor(gradient)
        theirs.step()
        position += ours.step(gradient)
    np.testing.assert_allclose(position, parameters.detach().numpy(), rtol=1e-12)
