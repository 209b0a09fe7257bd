"""bench_score: the passes compute the score that they are compared with, and the stages add up."""

from __future__ import annotations

import bench_score
import network_passes
import pytest
import torch
from helpers.small_net import Net, batch
from networks import Network
from table import duration, figure

import wrcor_ext


@pytest.fixture
def network():
    images, labels = batch()
    torch.manual_seed(0)
    model = Net().train()
    frozen = Net().train().requires_grad_(False)
    frozen.load_state_dict(model.state_dict())
    return Network("small", model, frozen, images, images.contiguous(memory_format=torch.channels_last), labels)


@pytest.mark.parametrize("options", [{}, {"tail": 2}, {"rule": "reference"}], ids=str)
def test_numpy_on_the_host_computes_the_score(network, options):
    found = network_passes.score_on_host(network, **options)
    score = wrcor_ext.score(network.model, network.images, network.labels, **options)["wrcor"].value
    assert found == pytest.approx(score, rel=1e-5)


def test_summed_pass_is_the_score(network):
    score = wrcor_ext.score(network.model, network.images, network.labels)["wrcor"].value
    assert network_passes.log_det(network_passes.kernel_matrix(network)) == pytest.approx(score, rel=1e-9)


def test_stages_add_up_to_the_whole(row):
    seconds = {
        "training step": 9.0, "forward": 1.0, "forward + input gradient": 3.0, "pass, hooks only": 3.5,
        "pass, summed": 4.5, "log-det": 0.25, "wrcor": 5.0,
    }  # fmt: skip
    rows = [row(case="net", backend=name, seconds=s, cpu_seconds=s) for name, s in seconds.items()]
    stages = {r.backend: r.seconds for r in bench_score.stages(rows)}
    expected = {"forward": 1.0, "backward": 2.0, "hooks": 0.5, "correlation": 1.0, "log-det": 0.25, "rest": 0.25}
    assert stages == pytest.approx(expected)
    assert sum(r.ratio for r in bench_score.stages(rows)) == pytest.approx(1.0)


def test_a_wrong_score_is_caught(network, session, monkeypatch):
    right = network_passes.score_on_host
    monkeypatch.setattr(network_passes, "score_on_host", lambda *args, **options: right(*args, **options) * 1.001)
    run = session("--refcheck")
    bench_score.measure(run, network)
    rows = {r.backend: r for r in run.rows if r.case == "small"}
    assert rows["wrcor"].samples == 0
    assert rows["forward"].samples == 5
    assert run.finish() == 1


def test_figures_for_people():
    assert [duration(s) for s in (1.234, 0.0567, 2.5e-6, -0.0567)] == ["1.23 s", "56.7 ms", "2.50 us", "-56.7 ms"]
    assert duration(float("nan")) == figure(float("nan")) == "\N{EN DASH}"
    assert [figure(v) for v in (0.0, 0.001234, 12.34, 1234.5)] == ["0", "0.00123", "12.3", "1234"]
