"""Small searches for the tests of this folder."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny networks gain nothing from threads, and `--threads` must not leak into other tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny():
    """Options that make a trial take some milliseconds."""
    return [
        *("--stem-width", "4", "--cells-per-stage", "1", "--image-size", "8", "--batch-size", "6"),
        *("--dataset", "noise", "--group", "1", "--workers", "1"),
    ]


@pytest.fixture
def by():
    """The options that choose a strategy, and sizes that let it learn from some ten trials."""
    sizes = {"evolution": ("--population-size", "6", "--tournament-size", "3"), "local": ("--patience", "5")}
    return lambda name: ["--strategy", name, *sizes.get(name, ())]
