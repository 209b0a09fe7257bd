"""Bad input: one sentence with the offending value, the same from every backend, and nothing written."""

from __future__ import annotations

import os
from contextlib import nullcontext

import pytest
import torch
from helpers import emulator
from helpers.tensors import draw, integers, matrices
from torch.utils._pytree import tree_leaves, tree_map_only

from wrcor_ext import ops
from wrcor_ext.errors import InputError
from wrcor_ext.ops import native

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
needs_emulator = pytest.mark.skipif(emulator.missing() is not None, reason=emulator.missing() or "")


def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.zeros(shape, dtype=dtype)


BAD_RESPONSES = {
    "x must be float32, float64, float16 or bfloat16, not int64.": zeros(3, 4, dtype=torch.int64),
    "x must be float32, float64, float16 or bfloat16, not complex64.": zeros(3, 4, dtype=torch.complex64),
    "x must have at least 2 dimensions [N, ...], not 0.": zeros(),
    "x must have at least 2 dimensions [N, ...], not 1.": zeros(7),
    "x must have 1 to 512 rows, not 0.": zeros(0, 4),
    "x must have 1 to 512 rows, not 513.": zeros(513, 4),
    "x must have at least one feature in each row, not shape [3, 0, 2].": zeros(3, 0, 2),
}

GOOD_K, GOOD_COUNTS = zeros(3, 3, dtype=torch.float64), zeros(2, dtype=torch.int64)
BAD_ACCUMULATORS = {
    "k must be float64, not float32.": (zeros(3, 3), GOOD_COUNTS),
    "k must have shape [3, 3] to match x, not [3, 4].": (zeros(3, 4, dtype=torch.float64), GOOD_COUNTS),
    "k must have shape [3, 3] to match x, not [9].": (zeros(9, dtype=torch.float64), GOOD_COUNTS),
    "k must be contiguous, not have strides [1, 3].": (zeros(3, 3, dtype=torch.float64).T, GOOD_COUNTS),
    "counts must be int64, not int32.": (GOOD_K, zeros(2, dtype=torch.int32)),
    "counts must have shape [2], not [3].": (GOOD_K, zeros(3, dtype=torch.int64)),
    "counts must be contiguous, not have strides [2].": (GOOD_K, zeros(4, dtype=torch.int64)[::2]),
}

GOOD_KS, GOOD_XS, GOOD_USED = zeros(2, 3, 3, dtype=torch.float64), [zeros(3, 4), zeros(3, 5)], GOOD_COUNTS
GOOD_WEIGHTS = [1.0, 2.0, 3.0, 4.0]
BAD_GROUPS = {
    "xs must hold at least one response.": (GOOD_KS, [], [], GOOD_USED),
    "xs[0] must have at least 2 dimensions [N, ...], not 0.": (GOOD_KS, [zeros()], GOOD_WEIGHTS, GOOD_USED),
    "xs[0] must have 1 to 512 rows, not 513.": (GOOD_KS, [zeros(513, 1)], GOOD_WEIGHTS, GOOD_USED),
    "xs[1] must be float32, float64, float16 or bfloat16, not bool.": (
        GOOD_KS, [zeros(3, 4), zeros(3, 4, dtype=torch.bool)], GOOD_WEIGHTS, GOOD_USED,
    ),
    "xs[1] must have at least one feature in each row, not shape [3, 0].": (
        GOOD_KS, [zeros(3, 4), zeros(3, 0)], GOOD_WEIGHTS, GOOD_USED,
    ),
    "xs[1] must be float32 like xs[0], not float16.": (
        GOOD_KS, [zeros(3, 4), zeros(3, 4, dtype=torch.float16)], GOOD_WEIGHTS, GOOD_USED,
    ),
    "xs[2] must have 3 rows like xs[0], not 4.": (GOOD_KS, [*GOOD_XS, zeros(4, 4)], GOOD_WEIGHTS, GOOD_USED),
    "k must be float64, not float32.": (zeros(2, 3, 3), GOOD_XS, GOOD_WEIGHTS, GOOD_USED),
    **{
        f"k must have shape [S, 3, 3] with S from 1 to 8 to match xs, not {list(shape)}.": (
            zeros(*shape, dtype=torch.float64), GOOD_XS, GOOD_WEIGHTS, GOOD_USED,
        )
        for shape in [(3, 3), (0, 3, 3), (9, 3, 3), (2, 3, 4)]
    },
    "k must be contiguous, not have strides [9, 1, 3].": (GOOD_KS.transpose(1, 2), GOOD_XS, GOOD_WEIGHTS, GOOD_USED),
    "weights must hold 2 x 2 = 4 factors, those of the first sum first, not 3.": (
        GOOD_KS, GOOD_XS, GOOD_WEIGHTS[:3], GOOD_USED,
    ),
    "used must be int64, not bool.": (GOOD_KS, GOOD_XS, GOOD_WEIGHTS, zeros(2, dtype=torch.bool)),
    "used must have shape [2] to match xs, not [1, 2].": (
        GOOD_KS, GOOD_XS, GOOD_WEIGHTS, zeros(1, 2, dtype=torch.int64),
    ),
    "used must be contiguous, not have strides [2].": (
        GOOD_KS, GOOD_XS, GOOD_WEIGHTS, zeros(4, dtype=torch.int64)[::2],
    ),
}  # fmt: skip

BAD_MATRICES = {
    "k must be float64, not float32.": zeros(3, 3),
    "k must have shape [..., N, N], not [2, 3].": zeros(2, 3, dtype=torch.float64),
    "k must have shape [..., N, N], not [4].": zeros(4, dtype=torch.float64),
    "k must have 1 to 512 rows, not 0.": zeros(0, 0, dtype=torch.float64),
    "k must have 1 to 512 rows, not 600.": zeros(600, 600, dtype=torch.float64),
}

CALLS = (
    [("response_correlation", (x,), message) for message, x in BAD_RESPONSES.items()]
    + [("accumulate_hamming", (GOOD_K, x, 1.0, GOOD_COUNTS), message) for message, x in BAD_RESPONSES.items()]
    + [
        ("accumulate_correlation", (k, zeros(3, 4), 1.0, counts), message)
        for message, (k, counts) in BAD_ACCUMULATORS.items()
    ]
    + [("accumulate_correlation_group", arguments, message) for message, arguments in BAD_GROUPS.items()]
    + [("slogdet", (k,), message) for message, k in BAD_MATRICES.items()]
)


def moved(tensor: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """A copy with the same strides."""
    copy = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)
    return copy.copy_(tensor)


@pytest.mark.parametrize(("name", "arguments", "message"), CALLS)
def test_every_backend_says_the_same_and_writes_nothing(backend, device, name, arguments, message):
    arguments = tree_map_only(torch.Tensor, lambda tensor: moved(tensor, device), arguments)
    with pytest.raises(InputError) as error:
        getattr(backend, name)(*arguments)
    assert str(error.value) == message
    # The op itself: C++ raises a plain RuntimeError, the reference an InputError.
    with pytest.raises((RuntimeError, InputError)) as error:
        getattr(torch.ops.wrcor_ext, name)(*arguments)
    assert str(error.value).splitlines()[0] == message
    assert not any(leaf.any() for leaf in tree_leaves(arguments) if isinstance(leaf, torch.Tensor))


@pytest.mark.parametrize(("name", "arguments", "message"), CALLS)
def test_the_fake_says_the_same(name, arguments, message):
    mode = torch._subclasses.FakeTensorMode()
    fakes = tree_map_only(torch.Tensor, mode.from_tensor, arguments)
    with mode, pytest.raises(InputError) as error:
        getattr(torch.ops.wrcor_ext, name)(*fakes)
    assert str(error.value) == message


def test_sparse_tensors(backend):
    eye = torch.eye(3, dtype=torch.float64)
    for name, arguments, which in [
        ("response_correlation", (eye.to_sparse(),), "x"),
        ("slogdet", (eye.to_sparse(),), "k"),
        ("accumulate_correlation", (eye.to_sparse(), eye, 1.0, GOOD_COUNTS), "k"),
        ("accumulate_hamming", (GOOD_K, eye, 1.0, integers(1, 1).to_sparse()), "counts"),
        ("accumulate_correlation_group", (eye[None], [eye, eye.to_sparse()], [1.0, 1.0], GOOD_USED), "xs[1]"),
    ]:
        with pytest.raises(InputError) as error:
            getattr(backend, name)(*arguments)
        assert str(error.value) == f"{which} must be a strided tensor, not sparse_coo."


ON_TWO_DEVICES = {
    "k, x and counts must be on one device, not {gpu}, cpu and {gpu}.": (
        ["accumulate_correlation", "accumulate_hamming"],
        lambda gpu: (matrices(3, 3, device=gpu), zeros(3, 4), 1.0, integers(0, 0, device=gpu)),
    ),
    "k, x and counts must be on one device, not cpu, {gpu} and cpu.": (
        ["accumulate_correlation", "accumulate_hamming"],
        lambda gpu: (matrices(3, 3), matrices(3, 4, device=gpu), 1.0, integers(0, 0)),
    ),
    "xs[1] must be on {gpu} like xs[0], not on cpu.": (
        ["accumulate_correlation_group"],
        lambda gpu: (matrices(1, 3, 3, device=gpu), [matrices(3, 4, device=gpu), matrices(3, 4)], [1.0, 1.0],
                     integers(0, 0, device=gpu)),
    ),
    "k, xs and used must be on one device, not {gpu}, {gpu} and cpu.": (
        ["accumulate_correlation_group"],
        lambda gpu: (matrices(1, 3, 3, device=gpu), [matrices(3, 4, device=gpu)], [1.0], integers(0)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=needs_gpu)], ids=["fake", "real"])
@pytest.mark.parametrize("message", ON_TWO_DEVICES)
def test_tensors_on_two_devices(message, real):
    names, arguments = ON_TWO_DEVICES[message]
    with nullcontext() if real else torch._subclasses.FakeTensorMode():
        for function in [getattr(module, name) for module in (ops, torch.ops.wrcor_ext) for name in names]:
            with pytest.raises((RuntimeError, InputError)) as error:
                function(*arguments("cuda:0"))
            assert str(error.value).splitlines()[0] == message.format(gpu="cuda:0")


@needs_emulator
@pytest.mark.parametrize("name", ["accumulate_correlation", "accumulate_hamming"])
def test_a_device_without_memory_leaves_everything_as_it_was(name):
    k, counts = matrices(9, 9, fill=2.0), integers(3, 4)
    with emulator.memory_limit(100), pytest.raises(RuntimeError, match=r"cannot allocate \d+ bytes for the workspace"):
        getattr(emulator, name)(k, draw(9, 300), 1.0, counts)
    assert (k == 2.0).all()
    assert counts.tolist() == [3, 4]


@needs_emulator
def test_a_group_that_needs_several_launches_gets_its_memory_before_the_first():
    # The first 32 responses share their launches and would find room.
    xs = [draw(9, 8, seed=r) for r in range(32)] + [draw(9, 100_000)]
    k, used = matrices(1, 9, 9, fill=2.0), integers(*[7] * 33)
    with emulator.memory_limit(200_000):
        emulator.accumulate_correlation_group(matrices(1, 9, 9), xs[:32], [1.0] * 32, integers(*[0] * 32))
        with pytest.raises(RuntimeError, match="cannot allocate"):
            emulator.accumulate_correlation_group(k, xs, [1.0] * 33, used)
    assert (k == 2.0).all()
    assert used.tolist() == [7] * 33


@needs_emulator
def test_the_bytes_that_are_missing_are_named():
    with emulator.memory_limit(1000), pytest.raises(RuntimeError, match="cannot allocate 320000 bytes"):
        emulator.slogdet(draw(200, 200, dtype=torch.float64))


@pytest.mark.skipif(ops.native_library() is None, reason=ops.native_reason())
def test_a_copy_that_does_not_fit_leaves_everything_as_it_was():
    # Features that repeat one value in memory are copied: 256 TB of them.
    huge = draw(2, 1).expand(2, 2**45)
    k, counts, used = matrices(2, 2, fill=2.0), integers(3, 4), integers(7, 7)
    said = r"^cannot allocate 281474976710656 bytes for a contiguous copy of a response on cpu; nothing was written\. "
    with pytest.raises(MemoryError, match=said):
        ops.accumulate_correlation(k, huge, 1.0, counts)
    with pytest.raises(MemoryError, match=said):
        ops.accumulate_correlation_group(k[None], [draw(2, 9), huge], [1.0, 1.0], used)
    assert (k == 2.0).all()
    assert (counts.tolist(), used.tolist()) == ([3, 4], [7, 7])


@pytest.mark.parametrize(
    ("device", "kind"), [("cuda:1", torch.OutOfMemoryError), ("cpu", MemoryError)], ids=["gpu", "cpu"]
)
def test_missing_memory_gets_the_exception_of_its_device(monkeypatch, device, kind):
    said = f"cannot allocate 320000 bytes for the workspace on {device}; nothing was written. torch says: no"

    def slogdet(k):
        raise RuntimeError(f"{said}\nand a backtrace")

    monkeypatch.setattr(torch.ops.wrcor_ext, "slogdet", slogdet)
    with pytest.raises(kind) as error:
        ops.slogdet(matrices(2, 2))
    assert str(error.value) == said


@pytest.mark.skipif(not (torch.cuda.is_available() and native.cuda_loaded()), reason="no GPU, or no _C_cuda")
@pytest.mark.skipif("PYTORCH_NO_CUDA_MEMORY_CACHING" in os.environ, reason="torch limits what its cache takes only")
def test_a_gpu_without_memory():
    # 42 MB of workspace: more than torch's blocks of 20 MB can have left.
    x, k, counts = (
        torch.zeros(512, 262_144, device="cuda"),
        matrices(512, 512, device="cuda"),
        integers(3, 4, device="cuda"),
    )
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(torch.cuda.memory_reserved() / total)
    try:
        with pytest.raises(torch.OutOfMemoryError, match=r"cannot allocate \d+ bytes for the workspace on cuda:0"):
            ops.accumulate_correlation(k, x, 1.0, counts)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert not k.any()
    assert counts.tolist() == [3, 4]
