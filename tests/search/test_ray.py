"""Searches on a Ray cluster: the answers of one process, and nothing lost with an actor or by Ctrl-C."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.crews import ARCHS, TRUTH, answers, broken, dying_and_hanging, toy
from helpers.toy import ToySpace

import wrcor_ext
from wrcor_ext.errors import InputError
from wrcor_ext.search import main, ray_cluster
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.ray_cluster import Packing, packing

ROOT = Path(wrcor_ext.__file__).parents[1]

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


@pytest.fixture(scope="module")
def cluster():
    """A cluster that all tests of this file share, and that this process is connected to."""
    before = signal.getsignal(signal.SIGTERM)
    with ray_cluster.connected(SearchConfig(ray="local", workers=2), lambda line: None) as packed:
        assert signal.getsignal(signal.SIGTERM) is before
        yield packed


def pool(make, *, timeout):
    from wrcor_ext.search.ray_pool import RayPool

    packed = Packing(workers=2, num_cpus=1)
    return RayPool(ToySpace(), make, packing=packed, threads=1, timeout=timeout, proxies=("wrcor", "naswot"))


@needs_ray
@pytest.mark.slow
def test_actors_that_die_or_take_too_long_harm_their_own_candidate_at_most(cluster, tmp_path, capfd):
    with pool(functools.partial(dying_and_hanging, str(tmp_path)), timeout=2.0) as workers:
        found = list(workers.results(ARCHS, lambda: False))
        (failed,) = (evaluation for index, _, evaluation in found if index == 1)
        assert (failed.status, failed.reason) == ("failed", "its worker died, 2 times")
        assert answers(f for f in found if f[0] != 1) == {i: t for i, t in TRUTH.items() if i != 1}
        assert answers(workers.results(ARCHS, lambda: False)) == TRUTH  # no trouble any more
    assert capfd.readouterr() == ("", "")


@needs_ray
def test_what_an_actor_cannot_make_is_its_answer():
    from wrcor_ext.search import ray_pool

    actor, here = ray_pool._Actor(), ray_pool._versions()
    assert actor.make(toy, 1, here) is None
    assert actor.answer("0-1-2-3")[:1] == TRUTH[0][:1]
    assert str(actor.make(broken, 1, here)) == "ImportError: no module named users_space"
    said = actor.make(toy, 1, {**here, "torch": "2.9"})
    assert str(said) == f"a machine of the Ray cluster has torch {torch.__version__}, the search 2.9"


STOPPING = """
import os, signal

class Stopping:
    def on_start(self, start):
        pass
    def on_trial(self, trial):
        if trial.trial == 6:
            os.killpg(0, signal.SIGINT)
    def on_end(self, end):
        pass
"""


@needs_ray
@pytest.mark.slow
def test_the_command_on_a_running_cluster_stopped_by_ctrl_c_and_resumed_without_ray(cluster, tiny, tmp_path):
    import ray

    (tmp_path / "hooks.py").write_text(STOPPING)
    command = [*tiny, "--group", "4", "--budget", "14"]
    on_ray = ["--ray", ray.get_runtime_context().gcs_address, "--workers", "2", "--callback", "hooks:Stopping"]
    stopped = subprocess.run(
        [sys.executable, "-m", "wrcor_ext.search", *command, *on_ray, "--json", "--out", "ray"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # Ctrl-C reaches a whole group of processes
    )
    assert stopped.returncode == 130, stopped.stderr
    facts = json.loads(stopped.stdout)
    assert facts["trials"] in (7, 8)  # the other trial of the group may have been begun
    assert stopped.stderr.splitlines() == [
        "Ray: 2 workers with 1 CPU each",
        "searching into ray",
        f"stopped after {facts['trials']} of 14 trials; to go on: python -m wrcor_ext.search --out ray --resume",
    ]
    assert main([*command, "--out", str(tmp_path / "ray"), "--resume", "--ray", "none"]) == 0
    assert main([*command, "--out", str(tmp_path / "one")]) == 0
    assert fingerprint(tmp_path / "ray") == fingerprint(tmp_path / "one")


def fingerprint(folder):
    journal = Journal(folder / "trials.sqlite", read_only=True)
    try:
        return journal.fingerprint()
    finally:
        journal.close()


@pytest.fixture
def port():
    """Of this machine; nobody listens there, unless a test does."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one


def refused(tiny, tmp_path, monkeypatch, capsys, *words):
    """What the command says of a cluster that it does not reach; nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    assert main([*tiny, *words]) == 2
    assert list(tmp_path.iterdir()) == []
    return capsys.readouterr().err


@needs_ray
def test_an_address_where_nobody_listens_is_refused(tiny, tmp_path, monkeypatch, capsys, port):
    address = f"127.0.0.1:{port.getsockname()[1]}"
    said = refused(tiny, tmp_path, monkeypatch, capsys, "--ray", address)
    assert said.startswith(f"error: --ray {address}: no Ray cluster answers there: ConnectionRefusedError")
    assert said.count("\n") == 1


@needs_ray
def test_an_address_that_does_not_answer_is_refused_in_time(tiny, tmp_path, monkeypatch, capsys, port):
    monkeypatch.setattr(ray_cluster, "ANSWER_SECONDS", 1.0)
    port.listen()
    address = f"127.0.0.1:{port.getsockname()[1]}"
    said = refused(tiny, tmp_path, monkeypatch, capsys, "--ray", address)
    assert said == f"error: --ray {address}: no Ray cluster answers there within 1 s\n"


@needs_ray
def test_what_is_no_address_is_refused(tiny, tmp_path, monkeypatch, capsys):
    said = refused(tiny, tmp_path, monkeypatch, capsys, "--ray", "nonsense")
    assert "--ray nonsense: no Ray cluster answers there: ValueError: Invalid address format: nonsense" in said


CHAINED = """Traceback (most recent call last):
  File "a.py", line 1, in <module>
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "b.py", line 2, in <module>
RuntimeError: Version mismatch:
    Ray: 2.9
    Python: 3.9
"""


def test_what_an_attempt_ends_with_is_said_in_one_line():
    assert ray_cluster._reason(CHAINED) == "RuntimeError: Version mismatch: Ray: 2.9 Python: 3.9"
    said = "socket.gaierror: [Errno -2] no such name"
    assert ray_cluster._reason(f"{said}\n") == said
    assert ray_cluster._reason("some\nwords") == "words"


def test_without_ray_the_extra_is_named(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said = refused(tiny, tmp_path, monkeypatch, capsys, "--ray")
    assert said == "error: --ray local needs Ray: pip install 'wrcor_ext[ray]'\n"


def test_one_gpu_by_number_is_refused_because_ray_chooses(tiny, tmp_path, monkeypatch, capsys):
    said = refused(tiny, tmp_path, monkeypatch, capsys, "--ray", "--device", "cuda:1")
    assert said == "error: --device cuda:1 cannot be used with --ray, which chooses among GPUs: use cuda\n"


CPUS = [{"CPU": 8.0}, {"CPU": 3.0, "memory": 1e9}]
GPUS = [{"CPU": 16.0, "GPU": 2.0}, {"CPU": 32.0, "GPU": 2.0}, {"CPU": 64.0}]


@pytest.mark.parametrize(
    ("machines", "options", "expected"),
    [
        (CPUS, {}, Packing(11, 1)),
        (CPUS, {"threads": 2}, Packing(5, 2)),  # 4 and 1: the third CPU of the second is of no use
        (CPUS, {"group": 6}, Packing(6, 1)),
        (CPUS, {"workers": 20}, Packing(20, 1)),  # a cluster may grow
        (GPUS, {"gpu": True}, Packing(16, 1, 0.25)),
        (GPUS, {"gpu": True, "threads": 4}, Packing(8, 4, 0.5)),  # 8 CPUs for each GPU of the first machine
        (GPUS, {"gpu": True, "threads": 32}, Packing(4, 8.0, 1.0)),  # a GPU is not left alone for lack of CPUs
        (GPUS, {"gpu": True, "group": 8}, Packing(8, 1, 0.5)),  # spread, not piled onto two of the four
        (GPUS, {"gpu": True, "workers": 12}, Packing(12, 1, 0.3333)),
        (GPUS, {"gpu": True, "workers": 40}, Packing(40, 0.8, 0.1)),
    ],
)
def test_how_many_workers_a_cluster_takes(machines, options, expected):
    assert packing(machines, **{"workers": None, "threads": 1, "group": 100, "gpu": False, **options}) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 9}, "--threads 9: no machine of the Ray cluster has more than 8 CPUs"),
        ({"gpu": True}, "--device cuda: no machine of the Ray cluster has a GPU"),
    ],
)
def test_a_cluster_without_room_for_a_single_worker_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        packing(CPUS, **{"workers": None, "threads": 1, "group": 100, "gpu": False, **options})


def test_a_packing_says_how_many_share_a_gpu():
    assert str(Packing(1, 2)) == "1 worker with 2 CPUs each"
    assert str(Packing(12, 1, 0.3333)) == "12 workers, 3 on each GPU"
