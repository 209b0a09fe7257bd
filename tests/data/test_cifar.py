"""`cifar10` and `cifar100` without the data sets, which no test can have: error paths, and a stub for the mapping."""

from __future__ import annotations

import importlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from wrcor_ext.data import load
from wrcor_ext.data.statistics import CIFAR10, CIFAR100
from wrcor_ext.errors import InputError


class _Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


class StubDataset:
    """Stands in for torchvision's classes: 500 images whose red channel is the label."""

    calls: list[dict] = []  # noqa: RUF012

    def __init__(self, **arguments) -> None:
        self.calls.append(arguments)
        self.targets = [i % 7 for i in range(500)]
        self.data = np.zeros((500, 32, 32, 3), dtype=np.uint8)
        self.data[..., 0] = np.reshape(self.targets, (500, 1, 1))


@pytest.mark.parametrize(
    ("spec", "class_name", "classes", "statistics"),
    [("cifar10", "CIFAR10", 10, CIFAR10), ("cifar100", "CIFAR100", 100, CIFAR100)],
)
def test_mapping_of_the_torchvision_data_set(monkeypatch, tmp_path, spec, class_name, classes, statistics):
    datasets = pytest.importorskip("torchvision.datasets")
    monkeypatch.setattr(datasets, class_name, StubDataset)
    monkeypatch.setattr(StubDataset, "calls", [])
    batch = load(spec, batch_size=40, augment=False, data_root=str(tmp_path))
    assert StubDataset.calls == [{"root": tmp_path, "train": True, "download": False}]
    assert batch.num_classes == classes
    red = (batch.images[:, 0] * statistics.std[0] + statistics.mean[0]) * 255
    assert torch.allclose(red, batch.labels.view(40, 1, 1).float().expand_as(red), atol=1e-3)
    assert torch.allclose(batch.images[:, 1], torch.tensor(-statistics.mean[1] / statistics.std[1]), atol=1e-6)
    load(spec, data_root=tmp_path / "new", download=True)
    assert StubDataset.calls[1] == {"root": tmp_path / "new", "train": True, "download": True}
    with pytest.raises(InputError, match="has 500 training images, fewer than the batch of 501"):
        load(spec, batch_size=501, data_root=tmp_path)


@pytest.mark.parametrize("spec", ["cifar10", "cifar100"])
def test_missing_data_says_what_to_do(tmp_path, spec):
    pytest.importorskip("torchvision")
    with pytest.raises(InputError, match=f"data '{spec}' needs --data-root DIR"):
        load(spec)
    with pytest.raises(InputError, match=f"there is no folder {tmp_path}/none; .* --data-root, or add --download"):
        load(spec, data_root=tmp_path / "none")
    with pytest.raises(InputError, match=f"{tmp_path} does not hold the official files of {spec}; .*--download"):
        load(spec, data_root=tmp_path)


def test_files_of_other_origin_are_refused_and_not_unpickled(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    target = tmp_path / "executed"
    official = torchvision.datasets.CIFAR10
    names = [name for name, _ in official.train_list + official.test_list] + [official.meta["filename"]]
    (tmp_path / official.base_folder).mkdir()
    for name in names:
        (tmp_path / official.base_folder / name).write_bytes(pickle.dumps(_Trap(target)))
    with pytest.raises(InputError, match="does not hold the official files of cifar10"):
        load("cifar10", data_root=tmp_path)
    assert not target.exists()


def test_failed_download(monkeypatch, tmp_path):
    datasets = pytest.importorskip("torchvision.datasets")

    def unreachable(**arguments):
        raise OSError("no route to host")

    monkeypatch.setattr(datasets, "CIFAR10", unreachable)
    with pytest.raises(InputError, match=f"cannot download cifar10 into {tmp_path}: no route to host"):
        load("cifar10", data_root=tmp_path, download=True)


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (ModuleNotFoundError("No module named 'torchvision'"), "pip install torchvision"),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            "a torchvision that fits .*nms does not exist",
        ),
    ],
)
def test_without_a_usable_torchvision(monkeypatch, tmp_path, failure, message):
    def fail(name):
        raise failure

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(InputError, match=message):
        load("cifar10", data_root=tmp_path)
