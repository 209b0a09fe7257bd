from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def real_data() -> Path:
    """The folder of real evaluation data, which is no part of the repository."""
    default = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("WRCOR_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set WRCOR_TEST_DATA")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2025)


@pytest.fixture
def make_npz(tmp_path, rng):
    """Write an archive of 12 images of 16 x 16 in 4 classes; keyword arguments replace arrays, None drops one."""

    def make(**arrays) -> Path:
        content = {
            "images": rng.integers(0, 256, size=(12, 16, 16, 3), dtype=np.uint8),
            "labels": np.arange(12) % 4,
        } | arrays
        path = tmp_path / "data.npz"
        np.savez(path, **{name: array for name, array in content.items() if array is not None})
        return path

    return make
