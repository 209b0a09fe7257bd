from __future__ import annotations

import csv
import io
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from wrcor_ext.data import load
from wrcor_ext.data.folder import index
from wrcor_ext.data.statistics import IMAGENET
from wrcor_ext.errors import InputError


@pytest.fixture
def folder(tmp_path, rng):
    """Three classes of four images each, of differing formats, modes and sizes."""
    root = tmp_path / "images"
    for i, (name, mode) in enumerate(
        [("b.PNG", "RGB"), ("a.jpg", "RGB"), ("c.png", "L"), ("deep/a.bmp", "RGB")] * 3  # files below a class count
    ):
        path = root / ("zebra", "Ant", "cat")[i // 4] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, size=(20 + i, 30 - i, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(path)
        path.with_name("notes.txt").write_text("no image")
    (root / ".cache").mkdir()
    (root / "README").write_text("no class")
    return root


def test_files_and_labels_are_those_of_image_folder(folder):
    datasets = pytest.importorskip("torchvision.datasets")
    (folder / ".cache").rmdir()  # which torchvision takes for a class
    (folder / "cat" / "linked").symlink_to(folder / "zebra" / "deep")
    files, classes = index(folder)
    expected = datasets.ImageFolder(folder)
    assert classes == expected.classes == ["Ant", "cat", "zebra"]
    assert [(str(path), label) for path, label in files] == expected.samples


def test_images_are_those_of_their_label(folder):
    files, classes = index(folder)
    batch = load(f"folder:{folder}", batch_size=12, image_size=8, augment=False)
    assert batch.num_classes == len(classes) == 3
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET.mean, IMAGENET.std))
    pixels = batch.images * std + mean
    for path, label in files:
        image = Image.open(path).convert("RGB")
        left, top = (image.width - min(image.size)) // 2, (image.height - min(image.size)) // 2
        square = image.crop((left, top, left + min(image.size), top + min(image.size)))
        square = square.resize((8, 8), Image.Resampling.BILINEAR)
        expected = torch.tensor(np.array(square)).permute(2, 0, 1) / 255
        distance, i = (pixels - expected).abs().amax(dim=(1, 2, 3)).min(dim=0)
        assert distance < 1e-6
        assert batch.labels[i] == label


def test_only_the_needed_images_are_opened(folder):
    files, _ = index(folder)
    for path, _ in files:
        path.write_bytes(b"broken")
    with pytest.raises(InputError, match="cannot decode image") as caught:
        load(f"folder:{folder}", batch_size=2)
    named = next(path for path, _ in files if str(path) in str(caught.value))
    image = Image.new("RGB", (9, 9))
    image.save(named)
    with pytest.raises(InputError, match="cannot decode image") as caught:
        load(f"folder:{folder}", batch_size=2)
    other = next(path for path, _ in files if str(path) in str(caught.value))
    assert other != named
    image.save(other)
    assert load(f"folder:{folder}", batch_size=2).images.shape[0] == 2


def test_truncated_jpeg_is_named(folder):
    jpegs = [path for path, _ in index(folder)[0] if path.suffix == ".jpg"]
    jpegs[0].write_bytes(jpegs[0].read_bytes()[:-80])
    with pytest.raises(InputError, match=f"cannot decode image {jpegs[0]}: .*truncated"):
        load(f"folder:{folder}", batch_size=12)


def test_dangling_link_is_named(folder):
    (folder / "Ant" / "d.png").symlink_to(folder / "nowhere.png")
    with pytest.raises(InputError, match=r"cannot read image .*d\.png: No such file"):
        load(f"folder:{folder}", batch_size=13)


def test_unusable_folders(folder, tmp_path):
    with pytest.raises(InputError, match=r"cannot list .*none: No such file or directory"):
        load(f"folder:{tmp_path / 'none'}")
    with pytest.raises(InputError, match=r"cannot list .*README: Not a directory"):
        load(f"folder:{folder / 'README'}")
    with pytest.raises(InputError, match="Ant/deep holds no folders; it needs one folder of images per class"):
        load(f"folder:{folder / 'Ant' / 'deep'}")
    with pytest.raises(InputError, match="holds 12 images, fewer than the batch of 64"):
        load(f"folder:{folder}")
    (folder / "Ant" / "deep" / "b.png").write_bytes((folder / "Ant" / "c.png").read_bytes())
    with pytest.raises(InputError, match="has 1 class, whose loss has no gradient"):
        load(f"folder:{folder / 'Ant'}", batch_size=2)
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match=r"class folder .*empty holds no image file"):
        load(f"folder:{folder}", batch_size=2)


def test_real_imagenet_files(real_data, tmp_path):
    with tarfile.open(real_data / "imagenet_sample.tar") as archive:
        members = {member.name: member for member in archive.getmembers()}
        table = archive.extractfile(members["imagenet_sample/index.csv"]).read().decode()
        for row in list(csv.DictReader(io.StringIO(table)))[:12]:
            path = tmp_path / row["wnid"] / "image.jpg"
            path.parent.mkdir()
            path.write_bytes(archive.extractfile(members[f"imagenet_sample/{row['file']}"]).read())
    batch = load(f"folder:{tmp_path}", batch_size=12, image_size=64)
    assert batch.num_classes == 12
    assert sorted(batch.labels.tolist()) == list(range(12))
    assert 0.3 < batch.images.std() < 2
