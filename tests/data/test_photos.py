from __future__ import annotations

import importlib.resources

import numpy as np
import pytest
import torch

from wrcor_ext.data import load
from wrcor_ext.data.photos import PHOTOGRAPHS
from wrcor_ext.data.statistics import IMAGENET
from wrcor_ext.errors import InputError


def _bytes(images: torch.Tensor) -> np.ndarray:
    """[n, 3, S, S] normalised to [n, S, S, 3] uint8."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET.mean, IMAGENET.std))
    return ((images * std + mean) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("batch_size", [2, 5, 8, 64, 67])
def test_photographs_are_balanced(batch_size):
    batch = load("photos", batch_size=batch_size)
    counts = torch.bincount(batch.labels, minlength=len(PHOTOGRAPHS))
    assert batch.num_classes == len(counts) == len(PHOTOGRAPHS)
    assert counts.max() - counts.min() <= 1


def test_crops_come_from_the_photograph_of_their_label():
    # Above three quarters of the short side a crop is as large as asked for, so it is an unscaled piece: it must be
    # found, pixel by pixel, in the array that scikit-image's own function returns.
    data = pytest.importorskip("skimage.data")
    unscaled = {0: data.astronaut(), 2: data.coffee(), 4: data.immunohistochemistry(), 7: data.rocket()}
    batch = load("photos", batch_size=16, image_size=384, augment=False)
    places = set()
    for crop, label in zip(_bytes(batch.images), batch.labels.tolist(), strict=True):
        if label in unscaled:
            windows = np.lib.stride_tricks.sliding_window_view(unscaled[label], (384, 384, 3))[:, :, 0]
            corners = np.argwhere((windows[:, :, 0, 0] == crop[0, 0]).all(axis=-1))
            matches = [tuple(corner) for corner in corners if np.array_equal(windows[tuple(corner)], crop)]
            assert matches
            places.add((label, matches[0]))
    assert len(places) == 8, "two different crops of each of the four photographs"


def test_every_crop_shows_something():
    for seed in range(5):
        images = load("photos", seed=seed).images.flatten(1)
        assert images.std(dim=1).min() > 0.05
        assert torch.corrcoef(images).fill_diagonal_(0).max() < 0.999, "no image is there twice"


@pytest.mark.parametrize("image_size", [1, 8, 33, 224, 500])
def test_any_image_size(image_size):
    batch = load("photos", batch_size=8, image_size=image_size)
    assert batch.images.shape == (8, 3, image_size, image_size)


def test_a_missing_photograph_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.resources, "files", lambda package: tmp_path)
    with pytest.raises(InputError, match=r"lacks its data/astronaut\.png"):
        load("photos")


def test_without_scikit_image(monkeypatch):
    def absent(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(importlib.resources, "files", absent)
    with pytest.raises(InputError, match="pip install scikit-image"):
        load("photos")
