"""REINFORCE against the same algorithm written with torch, and what it does with limits, gaps and groups."""

from __future__ import annotations

import json
from statistics import fmean, pstdev

import numpy as np
import pytest
import torch
from helpers.toy import ToySpace

from wrcor_ext import spaces, strategies
from wrcor_ext.errors import InputError
from wrcor_ext.limited_space import LimitedSpace
from wrcor_ext.spaces import Limits
from wrcor_ext.strategies import reinforce
from wrcor_ext.strategies.policy import FactorisedPolicy
from wrcor_ext.strategies.reinforce import Reinforce


class Pairs:
    """A preference among pairs of values; REINFORCE asks it for their number only."""

    width = 2


def value_of(arch):
    return None if sum(arch) == 9 else float(arch[0] ** 2 - arch[1] * arch[2])


def searched(strategy, steps, value=value_of, group=1):
    """What was asked for, told in groups."""
    asked = []
    while len(asked) < steps:
        archs = strategy.ask(group)
        strategy.tell([(arch, value(arch)) for arch in archs])
        asked += archs
    return asked


def test_the_warm_up_is_random_and_moves_nothing():
    rng, space = np.random.Generator(np.random.PCG64(3)), ToySpace()
    strategy = Reinforce(space, seed=3, warm_up=20)
    assert searched(strategy, 20) == [space.sample(rng) for _ in range(20)]
    assert set(strategy.state()["logits"]) == {0.0}
    searched(strategy, 1)
    assert any(strategy.state()["logits"])


def by_torch(first, later, shape):
    """Logits [variables, choices], baseline and skipped candidates after the warm-up `first` and further ones.

    Args:
        first: values.
        later: codes, value, and what is added to the reward of each candidate.
        shape: of the logits.
    """
    scale = [value for value in first if value is not None]
    logits = torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64))
    optimizer = torch.optim.Adam([logits], lr=0.01)
    baseline, skipped = 0.0, len(first) - len(scale)
    for codes, value, credit in later:
        if value is None:
            skipped += 1
            continue
        reward = (value - fmean(scale)) / pstdev(scale)
        optimizer.zero_grad()
        log_probability = torch.distributions.Categorical(logits=logits).log_prob(torch.tensor(codes)).sum()
        (-(reward + credit - baseline) * log_probability).backward()
        optimizer.step()
        baseline = 0.9 * baseline + 0.1 * reward
    return logits.detach().numpy().ravel(), baseline, skipped


@pytest.mark.parametrize("group", [1, 8])
def test_it_is_the_algorithm_as_torch_would_have_it(group):
    strategy = Reinforce(ToySpace(), seed=0, warm_up=16, learning_rate=0.01, baseline_decay=0.9)
    asked = searched(strategy, 16 + 64, group=group)
    later = [(arch, value_of(arch), 0.0) for arch in asked[16:]]
    logits, baseline, skipped = by_torch([value_of(arch) for arch in asked[:16]], later, (4, 5))
    state = strategy.state()
    np.testing.assert_allclose(state["logits"], logits, rtol=0, atol=1e-12)
    assert state["baseline"] == pytest.approx(baseline, rel=1e-12)
    assert strategy.skipped == skipped > 1


def test_a_candidate_that_took_many_draws_is_credited_the_logarithm_of_their_number(monkeypatch):
    def value(arch):
        return float(space.cost(arch).params)

    class Counting(FactorisedPolicy):
        draws = 0

        def draw(self, rng):
            self.draws += 1
            return super().draw(rng)

    monkeypatch.setattr(reinforce, "FactorisedPolicy", Counting)
    monkeypatch.setattr(reinforce, "EASY_DRAWS", 3)
    space = spaces.get("nasbench_macro")
    encoding = space.encoding()
    limits = Limits(params=sorted(map(value, space.enumerate()))[space.size // 4])
    strategy = Reinforce(LimitedSpace(space, limits), seed=0, warm_up=16, learning_rate=0.01)
    first = [value(arch) for arch in searched(strategy, 16, value)]
    later, before = [], 0
    for _ in range(64):
        (arch,) = searched(strategy, 1, value)
        draws = strategy._policy.draws - before
        before = strategy._policy.draws
        later.append((encoding.encode(arch), value(arch), max(0.0, np.log(draws / 3))))
    assert {credit > 0 for *_, credit in later} == {False, True}
    np.testing.assert_allclose(strategy.state()["logits"], by_torch(first, later, (8, 3))[0], rtol=0, atol=1e-12)


def test_it_learns_a_separable_objective():
    def last(name, seed):
        strategy = strategies.create(name, ToySpace(), seed=seed, warm_up=50, learning_rate=0.05)
        return fmean(float(sum(arch)) for arch in searched(strategy, 400, lambda arch: float(sum(arch)), group=8)[-50:])

    gains = [last("reinforce", seed) - last("random", seed) for seed in range(5)]
    assert min(gains) > 3  # random: 8; the highest is 16


def test_of_several_values_the_mean_of_those_there_are_is_learnt():
    def value(arch):
        return (float(arch[0]), None if arch[1] == 2 else -100.0 * arch[1])

    strategy = Reinforce(ToySpace(), seed=1, warm_up=50, learning_rate=0.05, preference=Pairs())
    last = searched(strategy, 500, value)[-50:]
    assert fmean(arch[0] for arch in last) > 3
    assert fmean(arch[1] for arch in last) < 1
    assert strategy.skipped == 0


def test_a_candidate_without_a_reward_is_counted_and_changes_nothing_else():
    strategy = Reinforce(ToySpace(), seed=0, warm_up=2)
    searched(strategy, 10, lambda arch: float(sum(arch)))
    before = strategy.state()
    strategy.tell([(arch, None) for arch in strategy.ask(3)])
    after = strategy.state()
    assert {name for name in before if before[name] != after[name]} == {"generator", "skipped"}
    assert after["skipped"] == before["skipped"] + 3


def test_rewards_that_are_all_the_same_in_the_warm_up_leave_the_policy_alone():
    strategy = Reinforce(ToySpace(), seed=0, warm_up=5)
    searched(strategy, 12, lambda arch: 0.1)
    assert set(strategy.state()["logits"]) == {0.0}
    assert strategy.skipped == 7


@pytest.mark.parametrize("name", spaces.names())
def test_every_space_is_searched_within_limits(name):
    space = spaces.get(name)
    rng = np.random.default_rng(0)
    limits = Limits(params=float(np.median([space.cost(space.sample(rng)).params for _ in range(50)])))
    strategy = Reinforce(LimitedSpace(space, limits), seed=0, warm_up=10)
    asked = searched(strategy, 40, lambda arch: -float(space.cost(arch).params), group=8)
    assert all(limits.admits(space.cost(arch)) for arch in asked)
    assert len(set(asked)) > 10


def test_what_was_drawn_is_learnt_from_not_another_form_of_it():
    space = spaces.get("nasbench101")
    encoding = space.encoding()
    strategy = Reinforce(space, seed=0, warm_up=2)
    strategy.tell([(arch, float(number)) for number, arch in enumerate(strategy.ask(2))])
    asked = strategy.ask(30)
    drawn = [tuple(codes) for _, codes, _ in strategy.state()["pending"]]
    assert [encoding.decode(codes) for codes in drawn] == asked
    # A cell that was drawn with a loose end: its canonical codes are others.
    place = next(i for i, (codes, arch) in enumerate(zip(drawn, asked, strict=True)) if codes != encoding.encode(arch))
    strategy.tell([(arch, None) for arch in asked[:place]])
    strategy.tell([(asked[place], 1.0)])
    moved = np.sign(strategy.state()["logits"][: 2 * 21]).reshape(
        21, 2
    )  # the first step of Adam: all by about the same
    better = 1 if moved[0, drawn[place][0]] > 0 else -1
    assert [int(np.argmax(better * row)) for row in moved] == list(drawn[place][:21])


@pytest.mark.parametrize("name", ["nasbench101", "mobilenetv2"])
def test_a_state_between_ask_and_tell_goes_on_exactly(name):
    def value(arch):
        return float(space.cost(arch).flops)

    space = spaces.get(name)
    original = Reinforce(space, seed=0, warm_up=6)
    searched(original, 8, value, group=4)
    asked = original.ask(5)
    text = json.dumps(original.state(), allow_nan=False)
    other = Reinforce(space, seed=9, warm_up=6)
    other.restore(json.loads(text))
    assert json.dumps(other.state()) == text
    for strategy in (original, other):
        strategy.tell([(arch, value(arch)) for arch in asked])
    assert searched(other, 12, value, group=4) == searched(original, 12, value, group=4)
    assert other.state() == original.state()


def test_a_state_of_another_space_is_refused():
    state = Reinforce(spaces.get("nasbench201"), seed=0).state()
    with pytest.raises(InputError, match=r"damaged.*instead of"):
        Reinforce(spaces.get("nasbench_macro"), seed=0).restore(state)


def test_scores_of_what_was_never_asked_for_are_learnt_from_too():
    strategy = Reinforce(ToySpace(), seed=0, warm_up=2)
    searched(strategy, 2, lambda arch: float(arch[0]))
    strategy.tell([((0, 1, 2, 3), 100.0)])
    logits = np.array(strategy.state()["logits"]).reshape(4, 5)
    assert logits.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_limits_that_no_draw_keeps_end_in_one_sentence(monkeypatch):
    class Forgetful(LimitedSpace):
        """Its random architectures know no limits, so that the warm-up succeeds."""

        def sample(self, rng, *, limits=None):
            return self._space.sample(rng)

    monkeypatch.setattr(reinforce, "MAX_DRAWS", 50)
    strategy = Reinforce(Forgetful(spaces.get("nasbench201"), Limits(params=9)), seed=0, warm_up=2)
    with pytest.raises(InputError, match=r"none of 50 draws of the policy .* does not keep params <= 9"):
        strategy.ask(3)


def test_a_space_without_an_encoding_is_refused():
    class Plain(ToySpace):
        encoding = spaces.Space.encoding

    with pytest.raises(InputError, match="'toy' does not say which choices make up an architecture"):
        Reinforce(Plain(), seed=0)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("baseline_decay", 1.0),
        ("baseline_decay", -0.1),
        ("warm_up", 1),
    ],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(InputError, match=f"{option} {value}: must be"):
        Reinforce(ToySpace(), seed=0, **{option: value})
