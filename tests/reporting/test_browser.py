"""Reports in a real browser: nothing is wider than a phone, cut off, loaded from elsewhere or complained about."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import browser

from wrcor_ext.reporting import Candidate, Candidates, Quantity, Report, Tradeoff

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
GRAPH = (
    '{"matrix": [[0, 1, 1, 1, 0, 0, 1], [0, 0, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0], '
    "[0, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0]], "
    '"ops": ["input", "conv3x3-bn-relu", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu", "maxpool3x3", "output"]}'
)
BLOCKS = (
    "SuperConvK3BNRELU(3,48,2,1)SuperResIDWE6K5(48,48,1,48,1)SuperResIDWE4K7(48,24,1,24,2)SuperResIDWE6K7(24,56,2,16,2)"
    "SuperResIDWE2K3(56,64,1,64,1)SuperResIDWE4K3(64,88,2,88,6)SuperResIDWE2K5(88,232,2,200,6)"
    "SuperResIDWE6K5(232,176,2,256,1)SuperConvK1BNRELU(176,808,1,1)@320"
)
PHONE, DESKTOP = 390, 1200
COUNT = 60


def report(space, architecture, proxies, goals=()):
    """A page with all its parts: long names, long sentences, numbers of many digits."""
    rng = np.random.default_rng(0)
    values = 1e4 * rng.random(COUNT)
    candidates = [
        Candidate(
            number, architecture, "ok", value, dict.fromkeys(proxies, value), 10**9 * (number + 1), 10**6, 30.0,
            cached=True, memory=123_456_789, layers=53, latency=123.4,
        )
        for number, value in enumerate(values.tolist())
    ]  # fmt: skip
    sentence = f"RuntimeError: {'a/very/long/path' * 20} is not there, and more words than fit in a line"
    candidates.append(
        Candidate(COUNT, architecture, "failed", None, dict.fromkeys(proxies), 1, 1, 1.0, reason=sentence)
    )
    tradeoff, order = None, np.argsort(-values)
    if goals:
        quantities = [Quantity(n, np.append(values * 10**e, np.nan), d, n == "flops") for n, d, e in goals]
        volumes = np.append(values, 9.0).cumsum() * 1e12
        tradeoff = Tradeoff(quantities, order[:20], [architecture] * 20, volumes, {one.name: 1.0 for one in quantities})
    best = {rank: candidates[place] for rank, place in enumerate(order[: 20 if goals else 5].tolist(), start=1)}
    return Report(
        title=f"evolution search of {space}",
        state="Stopped after 61 of 1000000 trials. Maximises wrcor. Limits: FLOPs at most 600 M, memory at most 1 GB.",
        space=space,
        objective=proxies[0],
        candidates=Candidates.of(candidates),
        best=best,
        configuration={"proxies": list(proxies), "out": "runs/a-very-long-name-of-a-folder" * 5, "tail": None},
        environment={"batch_sha256": "0123456789abcdef" * 4},
        tradeoff=tradeoff,
    ).html()


@pytest.fixture(scope="module")
def pages():
    many = ("act_grad_cor_weighted", "zen_score_cossim", "perturbation_sensitivity", "synflow", "jacob_cor")
    return [
        report("nasbench201", CELL, many),
        report("nasbench101", GRAPH, ("wrcor",), [("wrcor", 1, 0), ("flops", -1, 6)]),
        report("mobilenetv2", BLOCKS, ("wrcor", "naswot"), [("wrcor", -1, 0), ("naswot", -1, -9), ("flops", -1, 9)]),
    ]


@pytest.mark.parametrize("dark", [False, True])
def test_pages_fit_their_window_and_follow_the_readers_light_or_dark(pages, tmp_path, dark):
    results = browser.measured(tmp_path, pages, (PHONE, DESKTOP), dark=dark)
    assert [result["width"] for result in results] == [PHONE, DESKTOP] * len(pages)
    for result in results:
        assert result["scrolls"] <= result["width"]
        assert result["outside"] == []
        assert result["texts"] > 20
        assert result["cut"] == []
        assert result["resources"] == 0
        assert (sum(result["background"]) < sum(result["ink"])) is dark
    heights = [result["height"] for result in results]
    assert all(phone > desktop for phone, desktop in zip(heights[::2], heights[1::2], strict=True))  # one column


def test_what_is_wrong_with_a_page_is_noticed(tmp_path):
    page = "<!DOCTYPE html><html><body><main>{}</main></body></html>"
    wide, cut = (
        '<div style="width:500px">x</div>',
        '<svg width="50" height="20"><text x="40" y="9">a label</text></svg>',
    )
    (result,) = browser.measured(tmp_path, [page.format(wide + cut)], [PHONE])
    assert result["scrolls"] >= 500
    assert len(result["outside"]) == 1
    assert result["cut"] == ["a label"]
    with pytest.raises(AssertionError, match="broken"):
        browser.measured(tmp_path, [page.format("<script>console.error('broken')</script>")], [PHONE])
