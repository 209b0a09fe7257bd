"""Sums over responses: held back and measured in groups as on a GPU, and one by one as on a CPU."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from wrcor_ext import ops, response_sums
from wrcor_ext.proxies import ResponseSum
from wrcor_ext.response_sums import OverwrittenError, ResponseSums, settle

BOTH = frozenset({"activation", "gradient"})
WEIGHTED = ResponseSum(BOTH, "correlation", level_weighted=True)
PLAIN = ResponseSum(frozenset({"activation"}), "correlation")
SIGNS = ResponseSum(BOTH, "hamming")
NEEDS = {WEIGHTED: 1, PLAIN: 0, SIGNS: 0}
CPU = torch.device("cpu")


def responses(count: int, n: int = 6) -> list[Tensor]:
    generator = torch.Generator().manual_seed(count)
    return [torch.randn(n, 3 + i % 5, 4, generator=generator) for i in range(count)]


def filled(sums: ResponseSums, tensors: list[Tensor]) -> ResponseSums:
    for i, x in enumerate(tensors):
        sums.activation(i % 3, x)
        sums.activation(2, x)  # a second use of the same tensor, on another level
        sums.gradient(i % 3, x * 2 + 1)
    return sums


def direct(tensors: list[Tensor]) -> np.ndarray:
    """K of WEIGHTED by numpy."""
    k = np.zeros((len(tensors[0]),) * 2)
    for i, x in enumerate(tensors):
        level = i % 3
        c = np.abs(np.corrcoef(x.flatten(1).double().numpy()))
        k += c * (4 + 2 * 2**level * (level >= 1))
    return k


@pytest.mark.parametrize("count", [1, 5, 70])
def test_groups_give_the_sums_of_single_responses(count: int) -> None:
    tensors = responses(count)
    grouped = filled(ResponseSums(NEEDS, 6, CPU, grouped=True), tensors)
    single = filled(ResponseSums(NEEDS, 6, CPU, grouped=False), tensors)
    grouped.flush()
    together, apart = settle([grouped, single])
    for need in NEEDS:
        assert torch.allclose(together[need].k, apart[need].k, rtol=1e-12, atol=0)
        assert (together[need].used, together[need].skipped) == (apart[need].used, apart[need].skipped)
        assert together[need].logabsdet == pytest.approx(apart[need].logabsdet, rel=1e-9)
    np.testing.assert_allclose(together[WEIGHTED].k.numpy(), direct(tensors), rtol=1e-5, atol=1e-5)
    below = sum(i % 3 < 1 for i in range(count))
    assert together[WEIGHTED].used["activation"] == 2 * count - below
    assert together[WEIGHTED].used["gradient"] == count - below
    assert together[PLAIN].used == {"activation": 2 * count}


def test_matrices_of_single_responses_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A population holds the sums of each of its networks until the last one has been measured."""
    matrices: list[weakref.ref[Tensor]] = []
    real = ops.accumulate_correlation

    def watched(k: Tensor, *rest: Any) -> None:
        matrices.append(weakref.ref(k))
        real(k, *rest)

    monkeypatch.setitem(response_sums._ACCUMULATE, "correlation", watched)
    tensors = responses(5)  # which are still alive afterwards
    sums = filled(ResponseSums({PLAIN: 0}, 6, CPU, grouped=False), tensors)
    assert len(matrices) == 5
    sums.complete()
    assert all(matrix() is None for matrix in matrices)
    assert settle([sums])[0][PLAIN].used == {"activation": 10}


def test_a_group_is_one_call_whatever_the_number_of_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, tuple[int, ...]]] = []
    real = ops.accumulate_correlation_group

    def counting(k: Tensor, xs: list[Tensor], weights: Any, used: Tensor) -> None:
        calls.append((len(xs), tuple(k.shape)))
        real(k, xs, weights, used)

    monkeypatch.setattr(ops, "accumulate_correlation_group", counting)
    sums = filled(ResponseSums({WEIGHTED: 0, PLAIN: 0}, 6, CPU, grouped=True), responses(10))
    assert not calls
    sums.flush()
    assert calls == [(20, (2, 6, 6))]


def test_no_more_is_held_back_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = ops.accumulate_correlation_group

    def counting(k: Tensor, xs: list[Tensor], weights: Any, used: Tensor) -> None:
        sizes.append(len(xs))
        real(k, xs, weights, used)

    monkeypatch.setattr(ops, "accumulate_correlation_group", counting)
    monkeypatch.setattr(response_sums, "GROUPED_BYTES", 6 * 40 * 4)
    monkeypatch.setattr(response_sums, "HELD_BYTES", 6 * 100 * 4)
    sums = ResponseSums({PLAIN: 0}, 6, CPU, grouped=True)
    held = [torch.randn(6, d) for d in (40, 40, 20, 2, 41, 40)]  # 41 features are too many to be held
    for x in held:
        sums.activation(0, x)
    sums.flush()
    assert sizes == [3, 2]
    assert settle([sums])[0][PLAIN].used == {"activation": 6}
    sizes.clear()
    for x in responses(response_sums.HELD_RESPONSES + 3):
        sums.activation(0, x.flatten(1)[:, :2].clone())
    sums.flush()
    assert sizes == [response_sums.HELD_RESPONSES, 3]


def test_a_small_part_of_a_large_tensor_is_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_sums, "GROUPED_BYTES", 6 * 40 * 4)
    sums = ResponseSums({PLAIN: 0}, 6, CPU, grouped=True)
    large = torch.randn(6, 41)
    memory = StorageWeakRef(large.untyped_storage())
    part = large[:, :5]
    sums.activation(0, part)
    del large, part
    assert memory.expired()
    assert settle([sums])[0][PLAIN].used == {"activation": 1}


@pytest.mark.parametrize("grouped", [True, False])
def test_what_inference_mode_made_is_measured_at_once(grouped: bool) -> None:
    """It has no version, by which a tensor that was overwritten is told from one that was not."""
    sums, truth = (ResponseSums({PLAIN: 0}, 6, CPU, grouped=g) for g in (grouped, False))
    first, second = torch.randn(6, 5), torch.randn(6, 5)
    with torch.inference_mode():
        x = first.clone()
        sums.activation(0, x)
        x.copy_(second)
        sums.activation(0, x)
    truth.activation(0, first)
    truth.activation(0, second)
    found, expected = settle([sums, truth])
    assert torch.equal(found[PLAIN].k, expected[PLAIN].k)


def test_what_an_in_place_activation_overwrites_is_held_as_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = ops.accumulate_correlation_group

    def counting(k: Tensor, xs: list[Tensor], *rest: Any) -> None:
        sizes.append(len(xs))
        real(k, xs, *rest)

    monkeypatch.setattr(ops, "accumulate_correlation_group", counting)
    tensors = responses(7)
    sums, truth = (ResponseSums({WEIGHTED: 0}, 6, CPU, grouped=g) for g in (True, False))
    for x in tensors:
        truth.activation(1, x)
        truth.activation(2, x)
        own = x.clone()
        sums.activation(1, own)  # waits already when it is told that it will be overwritten
        sums.activation(2, own, overwritten=True)
        own.zero_()
    sums.complete()
    assert sizes == [7]
    found, expected = settle([sums, truth])
    torch.testing.assert_close(found[WEIGHTED].k, expected[WEIGHTED].k, rtol=1e-12, atol=0)
    assert found[WEIGHTED].used == expected[WEIGHTED].used == {"activation": 14}


def test_more_sums_than_a_group_takes_are_added_one_by_one() -> None:
    kinds = ({"activation"}, {"gradient"}, {"activation", "gradient"})
    four = [ResponseSum(frozenset(k), "correlation", level_weighted=w) for k in kinds for w in (False, True)]
    assert len(four) < response_sums.MAX_SUMS  # all there are: a subclass makes more

    class Another(ResponseSum):
        pass

    needs = dict.fromkeys([*four, *(Another(n.kinds, n.measure, n.level_weighted) for n in four)], 0)
    sums = filled(ResponseSums(needs, 6, CPU, grouped=True), responses(3))
    sums.flush()
    (result,) = settle([sums])
    for one, other in zip(four, list(needs)[6:], strict=True):
        assert torch.equal(result[one].k, result[other].k)


@pytest.mark.parametrize("grouped", [True, False])
def test_what_cannot_be_correlated_is_counted(grouped: bool) -> None:
    good, constant, broken = torch.randn(4, 8), torch.ones(4, 8), torch.randn(4, 8)
    broken[2, 3] = float("nan")
    sums = ResponseSums({PLAIN: 0}, 4, CPU, grouped=grouped)
    for x in (good, constant, good, broken, broken, torch.randn(3, 8), torch.randn(4)):
        sums.activation(0, x)
    sums.flush()
    (result,) = settle([sums])
    assert result[PLAIN].used == {"activation": 2}
    assert result[PLAIN].skipped == {"activation": 3}
    assert sums.ignored == 2
    np.testing.assert_allclose(
        result[PLAIN].k.numpy(), 2 * np.abs(np.corrcoef(good.double().numpy())), rtol=0, atol=1e-5
    )


def test_precisions_are_grouped_apart() -> None:
    sums = ResponseSums({PLAIN: 0}, 4, CPU, grouped=True)
    tensors = [torch.randn(4, 8).to(dtype) for dtype in (torch.float32, torch.bfloat16, torch.float32, torch.float16)]
    for x in tensors:
        sums.activation(0, x)
    sums.flush()
    truth = sum(np.abs(np.corrcoef(x.double().numpy())) for x in tensors)
    np.testing.assert_allclose(settle([sums])[0][PLAIN].k.numpy(), truth, rtol=0, atol=1e-5)


def test_a_response_overwritten_while_held_back_is_noticed() -> None:
    sums = ResponseSums({PLAIN: 0}, 4, CPU, grouped=True)
    x = torch.randn(4, 8)
    sums.activation(0, x)
    x.add_(1.0)
    with pytest.raises(OverwrittenError):
        sums.flush()
    announced = ResponseSums({PLAIN: 0}, 4, CPU, grouped=True)
    announced.activation(0, x, overwritten=True)
    truth = np.abs(np.corrcoef(x.double().numpy()))
    x.relu_()
    announced.flush()
    np.testing.assert_allclose(settle([announced])[0][PLAIN].k.numpy(), truth, rtol=0, atol=1e-5)


def test_settling_is_one_log_determinant_for_each_number_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    real = ops.slogdet

    def counting(k: Tensor) -> tuple[Tensor, Tensor]:
        shapes.append(tuple(k.shape))
        return real(k)

    monkeypatch.setattr(ops, "slogdet", counting)
    passes = [filled(ResponseSums(NEEDS, n, CPU), responses(4 + n, n)) for n in (6, 5, 6)]
    settled = settle(passes)
    assert shapes == [(6, 6, 6), (3, 5, 5)]
    for n, result in zip((6, 5, 6), settled, strict=True):
        for summed in result.values():
            assert summed.k.shape == (n, n)
            assert summed.logabsdet == pytest.approx(float(np.linalg.slogdet(summed.k.numpy())[1]), rel=1e-9)
