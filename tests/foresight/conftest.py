"""The drop-in package is imported as its users do: from `python/` on the path."""

from __future__ import annotations

from pathlib import Path

import pytest

import wrcor_ext

ROOT = Path(wrcor_ext.__file__).parents[1]


@pytest.fixture(autouse=True)
def drop_in(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "python")
