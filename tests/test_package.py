"""The package itself: what `import wrcor_ext` brings, and what it leaves for later."""

from __future__ import annotations

import subprocess
import sys

import pytest

import wrcor_ext


def test_every_public_name_is_there_and_listed() -> None:
    for name in wrcor_ext.__all__:
        assert getattr(wrcor_ext, name) is not None
    assert set(wrcor_ext.__all__) <= set(dir(wrcor_ext))
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        wrcor_ext.scores  # noqa: B018


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, wrcor_ext; assert 'torch' not in sys.modules; wrcor_ext.score; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_function_stays_whatever_is_imported_first() -> None:
    code = "import wrcor_ext.score, wrcor_ext; assert wrcor_ext.score.__module__ == 'wrcor_ext.scoring'"
    subprocess.run([sys.executable, "-c", code], check=True)
