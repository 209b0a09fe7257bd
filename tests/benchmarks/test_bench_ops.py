"""bench_ops: every op is measured, every contender passes its check, and a wrong kernel does not."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import bench_ops
import contenders
import numpy as np
import oracle
import pytest
import torch
from bench_ops import Work

from wrcor_ext import ops
from wrcor_ext.ops import cupy_backend

WORK = [
    Work("response_correlation", "", (5, 40)),
    Work("response_correlation", "channels_last", (4, 3, 5, 5), torch.bfloat16, channels_last=True),
    Work("accumulate_correlation", "somewhere", (6, 33), torch.float64),
    Work("accumulate_correlation_group", "", (3, 6, 20)),
    Work("accumulate_hamming", "", (7, 50), torch.float16),
    Work("slogdet", "", (3, 8, 8), torch.float64),
]


@pytest.fixture
def without_compile(monkeypatch):
    """Compiling takes seconds."""
    monkeypatch.setattr(contenders, "_compiled", lambda function, *calls: {})


@pytest.mark.usefixtures("without_compile")
@pytest.mark.parametrize("work", WORK, ids=lambda work: f"{work.op} {work.dtype}")
def test_every_contender_passes_its_check(session, work):
    run = session("--refcheck")
    bench_ops.measure(run, work)
    measured = [row for row in run.rows if row.case == work.name]
    assert {"torch", "numpy"} < {row.backend for row in measured}
    assert all(row.samples and row.error <= 2e-6 for row in measured)
    assert run.finish() == 0


@pytest.mark.usefixtures("without_compile")
def test_a_wrong_kernel_is_caught(session, monkeypatch):
    right = ops.accumulate_correlation

    def wrong(k, x, weight, counts):
        right(k, x, weight, counts)
        k[0, -1] += 1e-4

    monkeypatch.setattr(ops, "accumulate_correlation", wrong)
    run = session("--refcheck")
    bench_ops.measure(run, Work("accumulate_correlation", "", (6, 33)))
    rows = {row.backend: row for row in run.rows[1:]}
    (answering,) = {row.baseline for row in rows.values()}
    assert rows[answering].samples == 0
    assert rows["numpy"].samples == 5
    assert run.finish() == 1


def test_compiled_contender_makes_every_call(monkeypatch):
    monkeypatch.setattr(torch.compiler, "reset", lambda: None)
    monkeypatch.setattr(torch, "compile", lambda function, dynamic: function)  # inductor takes seconds to start
    xs = [torch.randn(4, 10), torch.randn(4, 20)]
    k = torch.zeros(4, 4, dtype=torch.float64)
    compiled = contenders._compiled(contenders._add_correlation, *((k, x) for x in xs))["torch.compile"]
    k.zero_()
    compiled()
    np.testing.assert_allclose(k, sum(np.abs(np.corrcoef(x.double())) for x in xs), atol=1e-6)


def test_on_a_gpu_cupy_competes_where_it_can(monkeypatch):
    kernels = SimpleNamespace(slogdet="of CuPy")
    monkeypatch.setattr(cupy_backend, "find", lambda: SimpleNamespace(ops=kernels))
    runs = contenders._library("slogdet", torch.device("cuda"), lambda op: op)
    assert runs["cupy"] == "of CuPy"
    assert list(runs)[-1] == "torch"
    assert "cupy" not in contenders._library("slogdet", torch.device("cpu"), lambda op: op)
    monkeypatch.setattr(cupy_backend, "find", lambda: SimpleNamespace(ops=None))
    assert "cupy" not in contenders._library("slogdet", torch.device("cuda"), lambda op: op)


def test_without_a_compiler_torch_compile_is_left_out(monkeypatch, capsys):
    def refuse(function, **options):
        def call(*arguments):
            raise RuntimeError("no C++ compiler\nand a long report")

        return call

    monkeypatch.setattr(torch.compiler, "reset", lambda: None)
    monkeypatch.setattr(torch, "compile", refuse)
    assert contenders._compiled(torch.sin, (torch.zeros(1),)) == {}
    assert capsys.readouterr().err == "without torch.compile: RuntimeError: no C++ compiler\n"


def test_every_op_and_dtype_is_measured(monkeypatch):
    monkeypatch.setattr(bench_ops.shapes, "features_of_space", lambda name, samples: Counter({4096: 3, 2**40: 1}))
    work = list(bench_ops.all_work(torch.device("cpu")))
    assert {w.op for w in work} == {b.op for b in ops.backends()}
    assert {w.dtype for w in work} == {torch.float32, torch.float64, torch.float16, torch.bfloat16}
    assert Work("response_correlation", "", (64, 131072), yardstick=True) in work
    assert max(w.shape[0] for w in work if w.op == "slogdet") >= 2000
    assert [w.shape for w in work if w.where in ("nasbench101", "nasbench201", "mobilenetv2")] == [(64, 4096)] * 3


def test_deviation():
    expected = np.array([[2.0, 1.0], [1.0, 2.0]])
    assert oracle.deviation(expected.copy(), expected) == 0.0
    assert oracle.deviation(expected + np.diag([0.0, 0.5]), expected) == 0.25
    assert oracle.deviation(expected[:1], expected) == float("inf")
    assert np.isnan(oracle.deviation(torch.full((2, 2), torch.nan), expected))
