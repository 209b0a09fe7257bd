"""`find_measures`: the published measures of a network, by their published names and under the reference rule."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wrcor_ext.needs import Loss
from wrcor_ext.published.batches import Batches, DataInfo, batch_of
from wrcor_ext.published.user_measures import Function, register_measure
from wrcor_ext.results import ProxyResult
from wrcor_ext.scoring import score

# In the published order. `measure` appends to it.
AVAILABLE = [
    "plain", "grad_norm", "l2_norm", "snip", "grasp", "fisher", "jacob_cor", "jacob_cor_logdet", "epe_score",
    "synflow_bn", "synflow", "phi_score_bn", "phi_score", "phi_score_with_data_bn", "phi_score_with_data",
    "zen_score", "zen_score_with_data", "zen_score_cossim", "zen_score_with_data_cossim", "ssl_score",
    "bundle_entropy", "layerwise_dyn_isometry", "dyn_isometry", "feature_distance", "resp_sens", "act_hamming",
    "grad_hamming", "act_grad_hamming", "act_cor", "grad_cor", "act_grad_cor", "act_grad_cor_weighted",
]  # fmt: skip

Values = dict[str, float]


def find_measures(
    net_orig: nn.Module,
    dataloader: Batches,
    dataload_info: DataInfo,
    device: torch.device | str,
    loss_fn: Loss = F.cross_entropy,
    measure_names: Sequence[str] | None = None,
    measures_arr: tuple[Values, Values] | None = None,
) -> tuple[Values, Values]:
    """Scores a network on images of a data loader.

    Args:
        net_orig: the network; it stays as it is, and where it is.
        dataloader: gives batches (images [B, ...], labels [B]).
        dataload_info: (dataload, number, classes): `"random"` takes the first `number` batches as one, `"grasp"` the
            first `number` images of each of `classes` classes.
        device: where to score; a network that is elsewhere is copied.
        loss_fn: of (output, labels).
        measure_names: published names, aliases or names of this package; all of `AVAILABLE` if None.
        measures_arr: an earlier answer, to be given again instead of a new one.

    Returns:
        Values and seconds by name as given. A value is the published one: it may be NaN or infinite. Passes are shared,
        and their time is that of every measure that takes part: seconds do not add up.

    Raises:
        InputError: for an unknown name, or a batch that cannot be scored.
        Exception: whatever the network or the loss raises.
    """
    if measures_arr is not None:
        return measures_arr
    images, labels = batch_of(dataloader, dataload_info, device)
    return _measured(net_orig, images, labels, device, loss_fn, AVAILABLE if measure_names is None else measure_names)


def find_measures_arrays(
    net_orig: nn.Module,
    trainloader: Batches,
    dataload_info: DataInfo,
    device: torch.device | str,
    loss_fn: Loss = F.cross_entropy,
    measure_names: Sequence[str] | None = None,
) -> tuple[Values, Values]:
    """The same answer as `find_measures`, which takes it as `measures_arr`."""
    return find_measures(net_orig, trainloader, dataload_info, device, loss_fn, measure_names)


def calc_measure(
    name: str,
    net: nn.Module,
    device: torch.device | str,
    inputs: Tensor,
    targets: Tensor,
    loss_fn: Loss = F.cross_entropy,
    **_: object,
) -> float:
    """One measure of a network on images [N, ...] and labels [N].

    Further arguments (`split_data`) are accepted and change nothing: a score of a batch in parts would be another one.
    """
    values, _seconds = _measured(net, inputs, targets, device, loss_fn, [name])
    return values[name]


def measure(
    name: str, bn: bool = True, copy_net: bool = True, force_clean: bool = True, **arguments: Any
) -> Callable[[Function], Function]:
    """Decorator: makes a function of the user's a measure, and a proxy of this package, called `name`.

    Args:
        name: not in use yet.
        bn: whether batch-norms take part; otherwise they hand their input on.
        copy_net: whether the function gets a copy of the network; it may do to it what it likes.
        force_clean: accepted for scripts that give it: there is nothing to clean.
        arguments: handed on to the function by keyword.

    Raises:
        ValueError: if the name is taken.
    """

    def enter(function: Function) -> Function:
        register_measure(name, function, bn=bn, copy_net=copy_net, arguments=arguments)
        AVAILABLE.append(name)
        return function

    return enter


def _measured(
    net: nn.Module, images: Tensor, labels: Tensor, device: torch.device | str, loss: Loss, names: Sequence[str]
) -> tuple[Values, Values]:
    results = _results(net, images, labels, torch.device(device), loss, names)
    for name, result in results.items():
        if result.status == "failed":
            warnings.warn(f"{name} of {type(net).__name__} is nan: {result.detail['reason']}", stacklevel=3)
    values = {name: result.value if result.status == "ok" else _published(result) for name, result in results.items()}
    return values, {name: result.seconds for name, result in results.items()}


def _results(
    net: nn.Module, images: Tensor, labels: Tensor, device: torch.device, loss: Loss, names: Sequence[str]
) -> dict[str, ProxyResult]:
    parameter = next(net.parameters(), None)
    if parameter is not None and parameter.device.type != device.type:
        net = copy.deepcopy(net).to(device)
    # Scripts seed torch; noise is then the same for all networks scored under that seed, and another under another.
    seed = torch.initial_seed() % 2**63
    scores = score(net, images, labels, proxies=names, rule="reference", loss=loss, seed=seed)
    return {name: scores[name] for name in names}


def _published(result: ProxyResult) -> float:
    """The number of a degenerate result, which the published code gives back as it is."""
    value = result.detail.get("value", math.nan)
    assert isinstance(value, float)
    return value
