"""What every source promises: shape, dtype, reproducibility, and errors in one sentence."""

from __future__ import annotations

import hashlib
import random
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from wrcor_ext.data import Batch, load, sources
from wrcor_ext.data.registry import register, resolve
from wrcor_ext.errors import InputError


@pytest.fixture(params=["photos", "noise", "npz", "folder"])
def spec(request, tmp_path, make_npz, rng):
    """A specification of each source that needs no data set."""
    if request.param == "npz":
        return f"npz:{make_npz()}"
    if request.param == "folder":
        for i in range(12):
            path = tmp_path / "images" / f"class{i % 3}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, size=(24, 20, 3), dtype=np.uint8)).save(path)
        return f"folder:{tmp_path / 'images'}"
    return request.param


def test_batch_has_the_promised_form(spec):
    batch = load(spec, batch_size=9, image_size=24)
    assert isinstance(batch, Batch)
    assert batch.images.shape == (9, 3, 24, 24)
    assert batch.images.dtype == torch.float32
    assert batch.images.is_contiguous()
    assert torch.isfinite(batch.images).all()
    assert batch.labels.shape == (9,)
    assert batch.labels.dtype == torch.int64
    assert batch.labels.min() >= 0
    assert batch.labels.max() < batch.num_classes
    assert batch.spec == spec


def test_same_arguments_give_the_same_bytes(spec):
    first, second = load(spec, batch_size=8), load(spec, batch_size=8)
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.labels, second.labels)
    assert first.sha256 == second.sha256


def test_seed_changes_the_images(spec):
    assert load(spec, batch_size=8, seed=1).sha256 != load(spec, batch_size=8, seed=2).sha256


def test_sha256_is_that_of_the_bytes():
    batch = load("noise", batch_size=3, image_size=2)
    values = batch.images.flatten().tolist()
    content = struct.pack(f"<{len(values)}f", *values) + struct.pack("<3q", *batch.labels.tolist())
    assert batch.sha256 == hashlib.sha256(content).hexdigest()


def test_augmentation_leaves_the_choice_of_images_alone(spec):
    plain, changed = load(spec, batch_size=8, augment=False), load(spec, batch_size=8)
    assert torch.equal(plain.labels, changed.labels)
    assert torch.equal(plain.images, changed.images) == (spec == "noise")


def test_global_random_state_is_untouched(spec):
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    load(spec, batch_size=8)
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002


def test_another_process_with_other_thread_counts_gives_the_same_bytes():
    program = (
        "import sys, torch, wrcor_ext.data as data\n"
        "print(sorted({'PIL', 'skimage', 'torchvision', 'scipy'} & set(sys.modules)))\n"
        "torch.set_num_threads(3)\n"
        "print(data.load('photos', seed=5).sha256, data.load('noise', seed=5).sha256)\n"
        "print('skimage.data' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported, hashes, imported_skimage_data = run.stdout.splitlines()
    assert hashes.split() == [load("photos", seed=5).sha256, load("noise", seed=5).sha256]
    assert imported == "[]", "importing the package must not import image libraries"
    assert imported_skimage_data == "False"


def test_noise_is_standard_normal_with_uniform_labels():
    batch = load("noise", batch_size=4000, image_size=8)
    assert batch.num_classes == 10
    assert abs(batch.images.mean()) < 0.01
    assert abs(batch.images.std() - 1) < 0.01
    assert (torch.bincount(batch.labels, minlength=10) - 400).abs().max() < 100
    assert torch.corrcoef(batch.images[:50].flatten(1)).fill_diagonal_(0).abs().max() < 0.4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 1}, "batch_size is 1, but .* at least 2: a batch of one image has no correlation"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 2.5}, "batch_size is 2.5, but must be a whole number"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": None}, "seed is None"),
        ({"image_size": 0}, "image_size is 0"),
        ({"image_size": 100_000_000}, "image_size is 100000000, but must be a whole number from 1 to 4096"),
        ({"batch_size": 10**9, "image_size": 4096}, "1000000000 images of 4096x4096 pixels do not fit into memory"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(InputError, match=message):
        load("noise", **arguments)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("photo", "unknown data 'photo', did you mean photos; use photos, "),
        ("CIFAR10", "did you mean cifar10"),
        ("images.npz", "did you mean npz:images.npz"),
        ("folders:/somewhere", "did you mean folder:DIR"),
        ("imagenet", r"unknown data 'imagenet'; use photos, .*npz:FILE"),
        ("", "unknown data ''"),
        ("npz", "does not say which FILE; write npz:FILE"),
        ("folder:", "does not say which DIR; write folder:DIR"),
        ("photos:3", "nothing may follow photos"),
        ("noise:", "nothing may follow noise"),
    ],
)
def test_unusable_specifications(spec, message):
    with pytest.raises(InputError, match=message):
        load(spec)


def test_a_bare_folder_is_recognised(tmp_path):
    with pytest.raises(InputError, match=f"did you mean folder:{tmp_path}"):
        load(str(tmp_path))


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_text_that_names_no_source_is_refused(text):
    assume(text.partition(":")[0] not in {source.name for source in sources()})
    with pytest.raises(InputError, match=re.escape(f"unknown data {text!r}")):
        resolve(text)


@pytest.mark.parametrize("argument", ["a.npz", "C:\\data\\a.npz", "with: colon.npz", " "])
def test_everything_after_the_colon_is_the_argument(argument):
    assert resolve(f"npz:{argument}")[1] == argument


def test_sources_describe_all_specifications():
    listed = sources()
    assert [source.syntax for source in listed] == ["photos", "cifar10", "cifar100", "folder:DIR", "noise", "npz:FILE"]
    assert all(source.summary and "\n" not in source.summary for source in listed)


def test_a_name_cannot_be_taken_twice():
    with pytest.raises(ValueError, match="'noise' is registered twice"):
        register("noise", summary="again")(lambda request: None)
