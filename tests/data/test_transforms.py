from __future__ import annotations

import io
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from wrcor_ext.data import statistics
from wrcor_ext.data.statistics import CIFAR10, Statistics, channel_statistics
from wrcor_ext.data.transforms import (
    augmented,
    decode,
    from_bytes,
    normalised,
    resized,
    resized_bytes,
    resized_floats,
)
from wrcor_ext.errors import InputError


def _variants(image: torch.Tensor, padding: int) -> list[torch.Tensor]:
    """All images that a flip and a padded crop can make of [3, S, S], written with torch."""
    size = image.shape[-1]
    made = []
    for source in (image, image.flip(-1)):
        padded = torch.nn.functional.pad(source, [padding] * 4)
        made += [
            padded[:, top : top + size, left : left + size]
            for top in range(2 * padding + 1)
            for left in range(2 * padding + 1)
        ]
    return made


def test_augmentation_draws_every_flip_and_shift_and_nothing_else(rng):
    image = rng.random((3, 16, 16), dtype=np.float32)
    variants = {
        variant.contiguous().numpy().tobytes(): i for i, variant in enumerate(_variants(torch.tensor(image), 2))
    }
    results = augmented(np.repeat(image[None], 3000, axis=0), rng)
    drawn = Counter(variants[result.tobytes()] for result in results)
    assert len(variants) == 50
    assert set(drawn) == set(range(50))
    assert min(drawn.values()) > 60 / 2, "each of the 50 is expected 60 times"
    assert max(drawn.values()) < 60 * 2


@pytest.mark.parametrize(("size", "padding"), [(32, 4), (16, 2), (224, 28), (8, 1), (7, 0)])
def test_border_is_an_eighth(size, padding, rng):
    ones = np.ones((500, 3, size, size), dtype=np.float32) if size < 100 else np.ones((60, 3, size, size), np.float32)
    black_rows = (augmented(ones, rng).sum(axis=(1, 3)) == 0).sum(axis=1)
    assert black_rows.max() <= padding
    if size < 100:
        assert black_rows.max() == padding


def test_augmentation_leaves_its_input_alone(rng):
    pixels = rng.random((4, 3, 16, 16), dtype=np.float32)
    before = pixels.copy()
    augmented(pixels, rng)
    assert np.array_equal(pixels, before)


def test_scaling_and_normalisation_are_those_of_torchvision(rng):
    functional = pytest.importorskip("torchvision.transforms.functional")
    images = rng.integers(0, 256, size=(5, 32, 32, 3), dtype=np.uint8)
    ours = torch.from_numpy(normalised(from_bytes(images), CIFAR10))
    for image, result in zip(images, ours, strict=True):
        expected = functional.normalize(functional.to_tensor(image), CIFAR10.mean, CIFAR10.std)
        assert torch.equal(result, expected)


def test_published_statistics():
    assert np.allclose(CIFAR10.mean, (0.4914, 0.4822, 0.4465), atol=2e-4)
    assert np.allclose(CIFAR10.std, (0.2470, 0.2435, 0.2616), atol=2e-4)
    assert np.allclose(statistics.CIFAR100.mean, (0.5071, 0.4865, 0.4409), atol=2e-4)
    assert np.allclose(statistics.CIFAR100.std, (0.2673, 0.2564, 0.2762), atol=3e-4)
    assert Statistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) == statistics.IMAGENET


def test_shrinking_is_antialiased():
    checkerboard = np.indices((64, 64)).sum(axis=0) % 2 * 255
    image = Image.fromarray(np.repeat(checkerboard[..., None], 3, axis=2).astype(np.uint8))
    inner = resized(image, 16)[2:-2, 2:-2]
    assert np.abs(inner.astype(int) - 127).max() <= 2


def test_resizing_takes_the_centred_square():
    wide = np.zeros((10, 30, 3), dtype=np.uint8)
    wide[:, 10:20] = np.arange(300).reshape(10, 10, 3) % 251
    assert np.array_equal(resized(Image.fromarray(wide), 10), wide[:, 10:20])
    tall = wide.transpose(1, 0, 2)
    assert np.array_equal(resized(Image.fromarray(np.ascontiguousarray(tall)), 10), tall[10:20])
    framed = np.full((10, 30, 3), 255, dtype=np.uint8)
    framed[:, 10:20] = 8
    assert (resized(Image.fromarray(framed), 5) == 8).all(), "pixels beside the square have no influence"


def test_images_of_the_right_size_are_not_changed(rng):
    images = rng.integers(0, 256, size=(3, 32, 32, 3), dtype=np.uint8)
    assert np.array_equal(resized_bytes(images, 32), images)
    floats = rng.standard_normal((3, 3, 32, 32), dtype=np.float32)
    assert np.array_equal(resized_floats(floats, 32), floats)


@pytest.mark.parametrize("size", [12, 48])
def test_float_and_byte_images_are_resized_alike(size, rng):
    images = rng.integers(0, 256, size=(2, 32, 24, 3), dtype=np.uint8)
    from_floats = resized_floats(from_bytes(images), size)
    assert np.abs(from_floats - from_bytes(resized_bytes(images, size))).max() < 1.5 / 255


@pytest.mark.parametrize("size", [12, 48])
def test_resizing_agrees_with_torch(size, rng):
    planes = rng.standard_normal((2, 3, 24, 24), dtype=np.float32)
    expected = torch.nn.functional.interpolate(torch.tensor(planes), size=(size, size), mode="bilinear", antialias=True)
    assert np.abs(resized_floats(planes, size) - expected.numpy()).max() < 1e-5


@pytest.mark.parametrize("block", [1, 3, 1024])
def test_channel_statistics(block, rng, monkeypatch):
    monkeypatch.setattr(statistics, "_BLOCK", block)
    images = rng.integers(0, 256, size=(7, 5, 6, 3), dtype=np.uint8)
    found = channel_statistics(images, channel_axis=3)
    flat = images.reshape(-1, 3).astype(np.float64)
    assert np.allclose(found.mean, flat.mean(axis=0), rtol=1e-12)
    assert np.allclose(found.std, flat.std(axis=0), rtol=1e-12)
    scaled = found.scaled(1 / 255)
    assert np.allclose(scaled.mean, flat.mean(axis=0) / 255, rtol=1e-12)
    assert np.allclose(scaled.std, flat.std(axis=0) / 255, rtol=1e-12)
    planes = channel_statistics(images.transpose(0, 3, 1, 2), channel_axis=1)
    assert np.allclose(planes.mean + planes.std, found.mean + found.std, rtol=1e-12)


def test_undecodable_bytes_name_the_file():
    with pytest.raises(InputError, match=r"cannot decode image cat\.png"):
        decode(io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(40)), "cat.png")
