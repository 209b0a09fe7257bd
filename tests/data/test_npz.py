from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from wrcor_ext.data import load
from wrcor_ext.errors import InputError


def _load(path, **options):
    return load(f"npz:{path}", **({"batch_size": 12, "image_size": 16, "augment": False} | options))


class _Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def test_whole_file_is_standardised_with_its_own_statistics(make_npz):
    batch = _load(make_npz())
    assert torch.allclose(batch.images.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-6)
    assert torch.allclose(batch.images.std(dim=(0, 2, 3), unbiased=False), torch.ones(3), atol=1e-6)


def test_images_keep_their_labels(make_npz):
    # Image i is a ramp times i + 1: its own brightest pixel tells which image it is.
    images = np.linspace(0, 20, 16 * 16 * 3).reshape(1, 16, 16, 3) * np.arange(1, 13).reshape(12, 1, 1, 1)
    path = make_npz(images=images.astype(np.uint8), labels=np.arange(12), mean=np.zeros(3), std=np.ones(3))
    batch = _load(path, batch_size=7, seed=3)
    brightest = (batch.images.amax(dim=(1, 2, 3)) * 255).round().long()
    assert torch.equal(brightest, 20 * (batch.labels + 1))
    assert len(set(batch.labels.tolist())) == 7, "drawn without replacement"
    assert batch.labels.tolist() != list(range(7))


def test_statistics_of_the_file_are_used(make_npz):
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.25, 2]
    images = np.full((12, 16, 16, 3), 255, dtype=np.uint8)
    batch = _load(make_npz(images=images, mean=mean, std=std))
    assert torch.allclose(batch.images[0, :, 0, 0], torch.tensor([0.9 / 0.5, 0.8 / 0.25, 0.7 / 2]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_images(make_npz, rng, dtype):
    images = rng.standard_normal((12, 3, 16, 16)).astype(dtype)
    labels = np.arange(12)
    batch = _load(make_npz(images=images, labels=labels, mean=np.zeros(3), std=np.ones(3)))
    assert torch.equal(batch.images, torch.from_numpy(images.astype(np.float32))[batch.labels])


def test_floating_images_are_standardised_by_default(make_npz, rng):
    images = 40 + 7 * rng.standard_normal((12, 3, 16, 16))
    batch = _load(make_npz(images=images))
    assert torch.allclose(batch.images.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(batch.images.std(dim=(0, 2, 3), unbiased=False), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize(
    ("arrays", "classes"),
    [
        ({}, 4),
        ({"num_classes": np.array(9)}, 9),
        ({"num_classes": np.array([7], dtype=np.int16)}, 7),
        ({"class_names": np.array(["a", "b", "c", "d", "e"])}, 5),
        ({"class_names": np.array(list("abcde")), "num_classes": np.array(6)}, 6),
        ({"labels": np.arange(12, dtype=np.uint64)}, 12),
    ],
)
def test_number_of_classes(make_npz, arrays, classes):
    assert _load(make_npz(**arrays)).num_classes == classes


def test_images_are_resized(make_npz):
    assert _load(make_npz(), image_size=24).images.shape == (12, 3, 24, 24)


_IMAGES = np.arange(12 * 16 * 16 * 3).reshape(12, 16, 16, 3).astype(np.uint8)
_NAN = np.random.default_rng(0).random((12, 3, 16, 16))
_NAN[5, 1, 2, 3] = np.nan
_HUGE = _NAN.copy()
_HUGE[5, 1, 2, 3] = 1e200


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": None}, "has no array 'images': it holds labels; images and labels are needed"),
        ({"labels": None}, "has no array 'labels': it holds images"),
        ({"images": _IMAGES[..., 0]}, r"images in .* are uint8 \[12, 16, 16\], but must be"),
        ({"images": _IMAGES[..., :1]}, r"uint8 \[12, 16, 16, 1\]"),
        ({"images": _IMAGES.transpose(0, 3, 1, 2)}, r"uint8 \[12, 3, 16, 16\]"),
        ({"images": _IMAGES.astype(np.float32)}, r"float32 \[12, 16, 16, 3\]"),
        ({"images": _IMAGES.astype(np.int64)}, r"int64 \[12, 16, 16, 3\]"),
        ({"images": _IMAGES[:, :0]}, r"uint8 \[12, 0, 16, 3\]"),
        ({"images": _IMAGES[:0], "labels": np.arange(0)}, "holds 0 images, fewer than the batch of 12"),
        ({"images": _NAN}, "image 5 in .* holds NaN"),
        ({"images": np.where(np.isnan(_NAN), np.inf, _NAN).astype(np.float16)}, "image 5 in .* holds NaN, infinity"),
        ({"images": _HUGE}, "image 5 in .* a number beyond float32"),
        ({"images": np.full((12, 3, 16, 16), 0.1)}, "the red channel .* is constant"),
        ({"images": np.full((12, 16, 16, 3), 9, dtype=np.uint8)}, "the red channel .* is constant"),
        ({"labels": np.arange(11)}, "holds 12 images but 11 labels"),
        ({"labels": np.arange(12.0)}, r"labels in .* are float64 \[12\]"),
        ({"labels": np.zeros((12, 1), dtype=int)}, r"labels in .* are int64 \[12, 1\]"),
        ({"labels": np.arange(12) - 1}, "label -1 in .* is negative"),
        ({"labels": np.zeros(12, dtype=int)}, "has 1 class, whose loss has no gradient"),
        ({"num_classes": np.array(3)}, "label 3 in .* is out of range for its 3 classes"),
        ({"class_names": np.array(["a", "b"])}, "label 3 in .* is out of range for its 2 classes"),
        ({"num_classes": np.array(3.5)}, "num_classes in .* is 3.5"),
        ({"mean": np.zeros(3)}, "holds only one of mean and std"),
        ({"mean": np.zeros(3), "std": np.array([1, 0, 1])}, "std in .* must be 3 positive numbers"),
        ({"mean": np.zeros(3), "std": np.array([1, 1e-300, 1])}, "std in .* must be 3 positive numbers"),
        ({"mean": np.array([0, np.nan, 0]), "std": np.ones(3)}, "mean in .* must be 3 numbers"),
        ({"mean": np.zeros(1), "std": np.ones(3)}, r"mean in .* is \[0.0\], but must be 3 numbers"),
        ({"mean": np.array(["a", "b", "c"]), "std": np.ones(3)}, "mean in .* must be 3 numbers"),
    ],
)
def test_unusable_arrays(make_npz, arrays, message):
    with pytest.raises(InputError, match=message):
        _load(make_npz(**arrays))


def test_fewer_images_than_the_batch(make_npz):
    with pytest.raises(InputError, match="holds 12 images, fewer than the batch of 13"):
        _load(make_npz(), batch_size=13)


@pytest.mark.parametrize("name", ["images", "labels", "class_names"])
def test_pickled_arrays_are_refused_and_not_executed(make_npz, tmp_path, name):
    target = tmp_path / "executed"
    with pytest.raises(InputError, match=f"array '{name}' .* pickled, which is never read"):
        _load(make_npz(**{name: np.array([_Trap(target)], dtype=object)}))
    assert not target.exists()


def test_a_pickle_of_that_name_is_refused_and_not_executed(tmp_path):
    target, path = tmp_path / "executed", tmp_path / "data.npz"
    path.write_bytes(pickle.dumps(_Trap(target)))
    with pytest.raises(InputError, match=r"is no \.npz file"):
        _load(path)
    assert not target.exists()


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(InputError, match=f"there is no file {path}"):
            _load(path)


def test_member_that_is_no_array(tmp_path):
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images", b"not an array")
        archive.writestr("labels", b"not an array")
    with pytest.raises(InputError, match=r"'images' in .* is not a numpy array"):
        _load(path)


def test_damaged_files_are_refused(make_npz, rng):
    # Every eleventh byte of a small archive is changed, and it is cut off everywhere.
    images = rng.integers(0, 256, size=(12, 2, 2, 3), dtype=np.uint8)
    path = make_npz(images=images, class_names=np.array(list("abcd")), mean=np.zeros(3), std=np.ones(3))
    content = path.read_bytes()
    expected = _load(path).sha256
    for length in range(0, len(content), 11):
        path.write_bytes(content[:length])
        with pytest.raises(InputError):
            _load(path)
    passed = 0
    for position in range(0, len(content), 11):
        changed = bytearray(content)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        try:
            assert _load(path).sha256 == expected, "what the checksums do not cover has no influence"
            passed += 1
        except InputError:
            pass
    assert passed < len(content) / 11 / 2


def test_archive_behind_other_bytes_is_refused(make_npz):
    path = make_npz()
    path.write_bytes(b"\x93NUMPY" + path.read_bytes())
    with pytest.raises(InputError, match=r"is no \.npz file"):
        _load(path)


def test_real_cifar10(real_data):
    path = real_data / "cifar10_sample.npz"
    batch = _load(path, batch_size=64, image_size=32)
    assert batch.num_classes == 10
    assert len(set(batch.labels.tolist())) == 10
    with np.load(path, allow_pickle=False) as archive:
        images, labels = archive["images"], archive["labels"]
    flat = images.reshape(-1, 3) / 255
    pixels = batch.images.permute(0, 2, 3, 1).double().numpy() * flat.std(axis=0) + flat.mean(axis=0)
    originals = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    for image, label in zip(np.rint(pixels * 255).astype(np.uint8), batch.labels.tolist(), strict=True):
        assert originals[image.tobytes()] == label


def test_real_cifar100(real_data):
    batch = _load(real_data / "cifar100_sample.npz", batch_size=64, image_size=32)
    assert batch.num_classes == 100
