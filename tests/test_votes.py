"""Votes: how they are written, how they are counted, and what is refused."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch

import wrcor_ext
from wrcor_ext import proxies, votes
from wrcor_ext.errors import InputError
from wrcor_ext.proxies.registry import ProxyValue, register
from wrcor_ext.results import ProxyResult, Scores
from wrcor_ext.votes import METHODS, majority

NAN = math.nan
MEMBERS = ("wrcor", "naswot", "snip")
ALL = "(wrcor,naswot,snip)"


def table(*rows):
    """Candidates from rows of the members' values."""
    return [dict(zip(MEMBERS, row, strict=True)) for row in rows]


def naive_majority(candidates):
    """Ranks by sorting with the majority of pairwise comparisons, for candidates without a circle or a draw."""

    def wins(a, b):
        return sum(a[m] > b[m] for m in MEMBERS) > len(MEMBERS) / 2

    return [1 + sum(wins(other, one) for other in candidates if other is not one) for one in candidates]


def test_majority_is_who_wins_the_duels():
    candidates = table((5, 1, 3), (4, 2, 4), (3, 3, 5), (1, 9, 1))
    found = wrcor_ext.vote(f"vote:majority{ALL}", candidates)
    assert list(found.ranks) == naive_majority(candidates) == [3, 2, 1, 4]
    assert found.values == (-1, 1, 3, -3)
    assert found.order == (2, 1, 0, 3)
    assert found.cycles == ()


@pytest.mark.parametrize("seed", range(5))
def test_a_majority_of_random_opinions_puts_every_winner_first_that_no_circle_holds_back(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(4, size=(9, 4)).astype(float)  # few values and an even number of members: draws
    values[rng.random(values.shape) < 0.2] = NAN
    values = values[~np.isnan(values).all(1)]
    beats = majority.duels(values)
    order = majority.order(beats)
    reach = beats.copy()
    for _ in range(len(beats)):
        reach |= (reach.astype(int) @ reach.astype(int)) > 0
    place = {candidate: at for at, group in enumerate(order.groups) for candidate in group}
    assert sorted(place) == list(range(len(values)))
    together = {frozenset(np.nonzero(reach[i] & reach[:, i])[0].tolist()) for i in range(len(values)) if reach[i, i]}
    assert {frozenset(cycle) for cycle in order.cycles} == together
    scores = majority.copeland(beats)
    for a, b in itertools.permutations(range(len(values)), 2):
        if reach[a, b] and not reach[b, a]:
            assert place[a] < place[b]
        elif reach[a, b] and reach[b, a]:
            assert (place[a] < place[b]) == (scores[a] > scores[b])


def test_a_circle_is_reported_and_broken_by_copeland_score():
    # a beats b, b beats c, c beats a; all beat d.
    a, b, c, d = (3, 1, 2), (2, 3, 1), (1, 2, 3), (0, 0, 0)
    found = wrcor_ext.vote(f"vote:majority{ALL}", table(d, a, b, c))
    assert found.ranks == (4, 1, 1, 1)
    assert found.cycles == ((1, 2, 3),)
    # e loses to a and c, but beats b: all four are one circle, of which a and c win two duels, b and e one.
    e = (2.5, 0.5, 2.5)
    found = wrcor_ext.vote(f"vote:majority{ALL}", table(a, b, c, e))
    assert (found.ranks, found.values) == ((1, 3, 1, 3), (1, -1, 1, -1))
    assert found.cycles == ((0, 2, 1, 3),)


def test_a_winner_of_many_duels_stays_below_who_beats_it():
    """Copeland scores decide within circles only: here the second has more of them than the first."""
    beats = np.zeros((5, 5), dtype=bool)
    beats[0, 1] = beats[1, 2] = beats[1, 3] = beats[1, 4] = True
    order = majority.order(beats)
    assert majority.copeland(beats)[1] > majority.copeland(beats)[0]
    assert order.groups == [[0], [1], [2, 3, 4]]
    assert order.cycles == []


@pytest.mark.parametrize("method", METHODS)
def test_ranks_do_not_depend_on_the_order_of_the_candidates(method):
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((7, 3)) * [1, 1e-9, 1e150]
    rows[2] = rows[5]
    rows[1, 0] = rows[4, 2] = NAN
    found = wrcor_ext.vote(f"vote:{method}{ALL}", table(*rows))
    assert found.ranks[2] == found.ranks[5]
    for _ in range(20):
        shuffled = rng.permutation(7)
        again = wrcor_ext.vote(f"vote:{method}{ALL}", table(*rows[shuffled]))
        assert [again.ranks[i] for i in np.argsort(shuffled)] == list(found.ranks)
        assert [again.values[i] for i in np.argsort(shuffled)] == list(found.values)


def test_the_methods_count_what_they_say():
    candidates = table((1, 30, 5), (2, 10, 5), (4, 20, 8))
    ranks = np.array([[1, 3, 1.5], [2, 1, 1.5], [3, 2, 3]])
    values = np.array([[1, 30, 5], [2, 10, 5], [4, 20, 8]], dtype=float)
    expected = {
        "rank": ranks.mean(1),
        "logrank": np.log(ranks / 3).sum(1),
        "zscore": ((values - values.mean(0)) / values.std(0)).mean(1),
        "minmax": ((values - values.min(0)) / np.ptp(values, axis=0)).mean(1),
    }
    for method, counted in expected.items():
        found = wrcor_ext.vote(f"vote:{method}{ALL}", candidates)
        assert found.values == pytest.approx(counted, rel=1e-12)
        assert list(found.order) == np.argsort(-counted).tolist()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("nothing", [None, NAN, math.inf, -math.inf, ProxyResult(NAN, "degenerate", 0.0)])
def test_without_a_value_a_candidate_is_behind_the_worst_one_of_that_member(method, nothing):
    found = wrcor_ext.vote(f"vote:{method}(snip)", [{"snip": 2.0}, {"snip": nothing}, {"snip": 1.0}, {"snip": 2.0}])
    assert found.ranks == (1, None, 3, 1)
    # It has a say elsewhere, where it equals the others.
    rows = [(2.0, 1.0), (nothing, 1.0), (-5.0, 1.0), (nothing, 1.0)]
    found = wrcor_ext.vote(f"vote:{method}(snip,naswot)", [{"snip": a, "naswot": b} for a, b in rows])
    assert found.ranks == (1, 3, 2, 3)


@pytest.mark.parametrize("method", METHODS)
def test_who_has_no_value_at_all_has_no_rank_and_no_influence(method):
    some = table((1, 5, 2), (3, 1, 1), (2, 2, 3))
    found = wrcor_ext.vote(f"vote:{method}{ALL}", [table((NAN, NAN, NAN))[0], *some])
    alone = wrcor_ext.vote(f"vote:{method}{ALL}", some)
    assert (found.ranks, found.values) == ((None, *alone.ranks), (None, *alone.values))
    nobody = wrcor_ext.vote(f"vote:{method}{ALL}", table((NAN, NAN, NAN), (NAN, NAN, NAN)))
    assert (nobody.ranks, nobody.values) == ((None, None), (None, None))


@pytest.mark.parametrize("method", METHODS)
def test_a_member_that_finds_all_equal_has_no_say(method):
    found = wrcor_ext.vote(f"vote:{method}{ALL}", table((1, 7, 0), (2, 7, 0), (3, 7, 0)))
    assert found.ranks == (3, 2, 1)


@pytest.fixture
def lower_is_better():
    @register("effort", aliases=("work",), needs=(), paper="-", higher_is_better=False)
    def effort() -> ProxyValue:
        """Something to save."""
        raise NotImplementedError

    yield
    for name in ("effort", "work"):
        proxies.registry._PROXIES.pop(name, None)
        proxies.registry._CANONICAL.pop(name)


@pytest.mark.parametrize("method", METHODS)
def test_signs_and_directions_are_honoured(method, lower_is_better):
    candidates = [{"snip": float(v), "effort": float(v)} for v in (1, 3, 2)]
    for member, ranks in {"snip": (3, 1, 2), "-snip": (1, 3, 2), "+effort": (1, 3, 2), "-work": (3, 1, 2)}.items():
        assert wrcor_ext.vote(f"vote:{method}({member})", candidates).ranks == ranks


def test_scores_are_candidates_as_they_are():
    models = [Scores({"snip": ProxyResult(v, "ok", 0.0), "wrcor": ProxyResult(-v, "ok", 0.0)}, 0.0) for v in (1.0, 2.0)]
    assert wrcor_ext.vote("vote:rank(snip,-act_grad_cor_weighted)", models).ranks == (2, 1)


def test_an_expression_is_read_with_spaces_and_aliases():
    asked = votes.parse(" vote:rank( act_hamming , -jacob_cov,+snip ) ")
    assert (asked.method, asked.proxies) == ("rank", ("naswot", "jacob_cor", "snip"))
    assert [member.sign for member in asked.members] == [1, -1, 1]
    assert asked.name == "vote:rank(naswot,-jacob_cor,snip)"
    assert votes.parse(asked.name) == asked
    assert votes.members(["snip", asked.name, "wrcor"]) == ("snip", "naswot", "jacob_cor", "wrcor")


def test_weights_are_read_and_written():
    asked = votes.parse("vote:rank( 3 *wrcor, -0.250*snip,1*naswot, +2.0* synflow)")
    assert [(str(m), m.sign, m.weight) for m in asked.members] == [
        ("3*wrcor", 1, 3.0),
        ("-0.25*snip", -1, 0.25),
        ("naswot", 1, 1.0),
        ("2*synflow", 1, 2.0),
    ]
    assert votes.parse(asked.name) == asked
    assert asked.weights == (3.0, 0.25, 1.0, 2.0)


@pytest.mark.parametrize("method", METHODS)
def test_a_weight_counts_like_so_many_members_of_the_same_opinion(method):
    values = np.random.default_rng(1).integers(0, 5, (12, 3)).astype(float)
    values[3, 1] = values[7, 2] = np.nan
    one, many = METHODS[method](values, (3.0, 1.0, 2.0)), METHODS[method](values[:, [0, 0, 0, 1, 2, 2]], None)
    assert one.groups == many.groups
    assert one.values == pytest.approx(many.values, rel=1e-14)
    assert METHODS[method](values, (1.0, 1.0, 1.0)).groups == METHODS[method](values, None).groups
    heavy = wrcor_ext.vote(f"vote:{method}(3*snip,-wrcor,naswot)", table(*values))
    assert heavy.ranks != wrcor_ext.vote(f"vote:{method}(snip,-wrcor,naswot)", table(*values)).ranks


@pytest.mark.parametrize(("name", "third"), [("sjw", "jacob_cor"), ("spw", "l2_norm")])
def test_the_published_votes(name, third):
    asked = votes.parse(name)
    assert (asked.name, asked.method, asked.proxies) == (name, "majority", ("synflow", third, "wrcor"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vote:majorty(snip,wrcor)", "unknown vote 'majorty': did you mean majority? known are majority, rank, "),
        ("vote:rank(snpi)", "'vote:rank(snpi)': unknown proxy 'snpi': did you mean snip"),
        ("vote:rank(snip", "'vote:rank(snip' is not written as vote:METHOD(PROXY, -PROXY, 3*PROXY, ...)"),
        ("rank(snip)", "'rank(snip)' is not written as vote:METHOD(PROXY, -PROXY, 3*PROXY, ...)"),
        ("vote:rank", "'vote:rank' is not written as"),
        ("vote:rank()", "'' is no proxy"),
        ("vote:rank(snip,,wrcor)", "'' is no proxy"),
        ("vote:rank(snip,--wrcor)", "'--wrcor' is no proxy"),
        ("vote:rank(snip(1),wrcor)", "is not written as"),
        ("vote:rank(snip*3)", "'snip*3' is no proxy"),
        ("vote:rank(-3*-snip)", "'-3*-snip' is no proxy"),
        ("vote:rank(1e3*snip)", "'1e3*snip' is no proxy"),
        ("vote:rank(3 snip)", "'3 snip' is no proxy"),
        ("vote:rank(0*snip,wrcor)", "snip has no weight in 'vote:rank(0*snip,wrcor)'"),
        ("vote:majority(1.5*snip,wrcor)", "1.5*snip in 'vote:majority(1.5*snip,wrcor)': a majority counts whole votes"),
        ("vote:rank(snip,-snip)", "snip votes twice in 'vote:rank(snip,-snip)'"),
        ("timm:resnet18", "unknown proxy or vote 'timm:resnet18': known are wrcor"),
        ("sjv", "unknown proxy or vote 'sjv': did you mean sjw"),
        ("wrcr", "unknown proxy or vote 'wrcr': did you mean wrcor"),
    ],
)
def test_a_bad_expression_is_refused_in_one_sentence(text, message):
    with pytest.raises(InputError) as refused:
        votes.lookup(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_vote_is_offered_the_nearest():
    with pytest.raises(InputError, match="unknown vote 'spv': did you mean spw"):
        wrcor_ext.vote("spv", [{}, {}])


def test_one_network_alone_has_no_vote():
    net, images = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.ReLU()), torch.randn(4, 3, 2, 2)
    message = r"'vote:rank\(snip,-wrcor\)' compares networks: score its members \(snip, wrcor\) and call wrcor_ext.vote"
    with pytest.raises(InputError, match=message):
        wrcor_ext.score(net, images, proxies="vote:rank(snip,-wrcor)")


def test_bad_candidates_are_refused():
    with pytest.raises(InputError, match=r"vote 'vote:rank\(snip\)' over one candidate: a vote compares at least two"):
        wrcor_ext.vote("vote:rank(snip)", [{"snip": 1.0}])
    with pytest.raises(InputError, match="over no candidate"):
        wrcor_ext.vote("vote:rank(snip)", [])
    with pytest.raises(InputError, match="candidate 1 has no value of snip: known are wrcor"):
        wrcor_ext.vote("vote:rank(snip)", [{"snip": 1.0}, {"wrcor": 1.0}])
    with pytest.raises(InputError, match="candidate 0: snip is 'high', not a number"):
        wrcor_ext.vote("vote:rank(snip)", [{"snip": "high"}, {"snip": 1.0}])


def test_many_candidates_are_ordered_like_a_few():
    values = np.random.default_rng(0).standard_normal((300, 3))
    found = wrcor_ext.vote(f"vote:majority{ALL}", table(*values))
    wins = (np.sign(values[:, None] - values[None]).sum(2) > 0).sum(1)
    # Without draws the Copeland score alone is the order: whoever is above a circle beats all of it.
    assert found.values == tuple(2.0 * wins - 299)
    assert [found.ranks[i] for i in np.argsort(-wins, kind="stable")] == sorted(found.ranks)
    assert max(Counter(found.ranks).values()) == max(Counter(wins.tolist()).values())
