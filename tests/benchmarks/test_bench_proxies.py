"""bench_proxies: all proxies at once as a share of the sum of single ones."""

from __future__ import annotations

import bench_proxies
import pytest
from helpers.small_net import Net, batch
from networks import Network


def test_a_share_of_the_sum(row):
    seconds = {"together": 3.0, "wrcor": 2.0, "snip": 4.0}
    rows = [row(case="net", backend=name, seconds=s, cpu_seconds=s / 2) for name, s in seconds.items()]
    alone, together = bench_proxies.in_all(rows)
    assert (alone.backend, alone.seconds, alone.cpu_seconds, alone.ratio) == ("one by one", 6.0, 3.0, 1.0)
    assert (together.backend, together.seconds, together.baseline) == ("together", 3.0, "one by one")
    assert together.ratio == together.cpu_ratio == pytest.approx(0.5)


def test_every_proxy_has_a_row(session):
    names = bench_proxies.deterministic()
    assert {"wrcor", "grasp", "gradsign"} <= set(names)
    assert "zen" not in names
    images, labels = batch()
    run = session()
    bench_proxies.measure(run, Network("small", Net(), Net(), images, images, labels), ["acor", "snip"])
    found = [(r.case, r.backend) for r in run.rows if r.case.startswith("small")]
    alone = [("small, proxies", name) for name in ("together", "acor", "snip")]
    assert found == [*alone, ("small, proxies in all", "one by one"), ("small, proxies in all", "together")]
