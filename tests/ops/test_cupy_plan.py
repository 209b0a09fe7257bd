"""What the CuPy backend repeats in Python is what the C++ code says: structures, cuts, workspaces, names."""

from __future__ import annotations

import ctypes
import dataclasses
import itertools

import numpy as np
import pytest
import torch
from helpers import cupy_emulated, emulator

from wrcor_ext.ops.cupy_backend import parameters, plan

pytestmark = pytest.mark.skipif(emulator.missing() is not None, reason=emulator.missing() or "")

DTYPES = list(plan.ELEMENT_TYPES)  # numbered as wrcor::Element
ROWS = [1, 2, 15, 16, 17, 32, 33, 64, 65, 96, 128, 129, 200, 511, 512]
FEATURES = [1, 63, 64, 65, 127, 128, 129, 4096, 33_791, 33_793, 131_072, 1_081_344, 4_194_305, 7_400_000, 2**33]


def numbers(*values: int) -> ctypes.Array[ctypes.c_longlong]:
    return (ctypes.c_longlong * len(values))(*values)


def test_structures_have_the_layout_of_the_compiler():
    structures = {
        "Response": parameters.RESPONSE,
        "ResponseTable": parameters.RESPONSE_TABLE,
        "ResponseWeights": parameters.RESPONSE_WEIGHTS,
        "CorrelationPartials": parameters.CORRELATION_PARTIALS,
        "CorrelationPlan": parameters.CORRELATION_PLAN,
        "MergeView": parameters.MERGE_VIEW,
        "CorrelationResult": parameters.CORRELATION_RESULT,
    }
    compiled = {}
    for line in cupy_emulated.library().wrcor_raw_layouts().decode().splitlines():
        name, size, *fields = line.split()
        compiled[name] = (int(size), dict(zip(fields[::2], map(int, fields[1::2]), strict=True)))
    assert compiled == {
        name: (structure.itemsize, {field: structure.fields[field][1] for field in structure.names})
        for name, structure in structures.items()
    }


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_correlations_are_cut_alike(dtype):
    for rows, features in itertools.product(ROWS, FEATURES):
        cut, places = numbers(*[0] * 8), numbers(*[0] * 6)
        how = plan.correlation_plan(dtype, rows, features)
        for chunks in (how.chunks, 3 * how.chunks + 1):
            cupy_emulated.library().wrcor_raw_correlation_plan(
                dtype == torch.float64, rows, features, chunks, cut, places
            )
            assert tuple(cut) == dataclasses.astuple(how), (rows, features)
            workspace = plan.correlation_workspace(how, dtype, chunks)
            assert tuple(places) == dataclasses.astuple(workspace), (rows, features)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_groups_are_cut_alike(dtype):
    generator = np.random.default_rng(0)
    groups = [[4096], [4096] * 100, [131_072] * 70, [7_400_000] * 5, [64, 7_400_000, 64, 64]]
    groups += [list(generator.integers(1, 400_000, size=60)) for _ in range(10)]
    for rows, group in itertools.product((1, 16, 64, 65, 512), groups):
        features, lengths = numbers(*map(int, group)), numbers(*[0] * len(group))
        size = cupy_emulated.library().wrcor_raw_correlation_runs(
            DTYPES.index(dtype), rows, features, len(group), lengths
        )
        runs = plan.correlation_runs(dtype, rows, [int(length) for length in group])
        assert [len(run.plans) for run in runs] == [length for length in lengths if length > 0], (rows, group)
        assert max(run.workspace.bytes for run in runs) == size, (rows, group)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sign_patterns_are_cut_alike(dtype):
    for rows, features in itertools.product(ROWS, FEATURES):
        compiled = numbers(0, 0, 0)
        cupy_emulated.library().wrcor_raw_hamming_plan(DTYPES.index(dtype), rows, features, compiled)
        how = plan.hamming_plan(dtype, rows, features)
        assert tuple(compiled) == (how.words, how.blocks, how.bytes), (rows, features)


@pytest.mark.parametrize("limit", [48 * 1024, 64 * 1024, 99 * 1024, 163 * 1024, 227 * 1024])
def test_determinants_are_cut_alike(limit):
    for n, batch in itertools.product([*range(1, 200), 511, 512], (0, 1, 263, 264, 265, 5000)):
        compiled = numbers(0, 0, 0)
        cupy_emulated.library().wrcor_raw_slogdet_plan(batch, n, limit, compiled)
        assert tuple(compiled) == dataclasses.astuple(plan.slogdet_plan(batch, n, limit)), (n, batch)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("rows", "features"), [(3, 33), (40, 1000), (130, 200)])
def test_same_bits_as_the_other_host_side(dtype, rows, features):
    x = torch.randn(rows, features, generator=torch.Generator().manual_seed(0)).to(dtype)[:, 1:]
    results = []
    for module in (emulator, cupy_emulated):
        k, counts = torch.zeros(rows, rows, dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
        module.accumulate_correlation(k, x, 2.5, counts)
        module.accumulate_hamming(k, x, 0.75, counts)
        results.append((k, counts, *module.slogdet(k[:20, :20])))
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


def test_launches_that_do_not_fit_are_refused():
    n = np.int64(1)
    with pytest.raises(RuntimeError, match="wrcor::nothing<4>: there is no kernel"):
        cupy_emulated.launch("wrcor::nothing<4>", 1, 1, (), 0)
    with pytest.raises(RuntimeError, match="the kernel has 4 parameters, not 1"):
        cupy_emulated.launch("wrcor::slogdet_shared<wrcor::LuTraits>", 1, 256, (n,), 0)
    with pytest.raises(RuntimeError, match="parameter 1 has 4 bytes, not 8"):
        cupy_emulated.launch("wrcor::slogdet_shared<wrcor::LuTraits>", 1, 256, (n, n, n, n), 0)
