"""`wrcor info` tells the truth about this process, as a table and as JSON."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rich.console import Console

import wrcor_ext
from wrcor_ext import info, ops
from wrcor_ext.ops import native
from wrcor_ext.spaces import nasbench101_native

OPS = [
    "response_correlation",
    "accumulate_correlation",
    "accumulate_correlation_group",
    "accumulate_hamming",
    "slogdet",
]


def test_json_holds_versions_platform_libraries_and_backends(capsys: pytest.CaptureFixture[str]) -> None:
    assert info.main(["--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["versions"] == {
        "wrcor_ext": wrcor_ext.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": ".".join(map(str, sys.version_info[:3])),
    }
    assert report["platform"]["cpu"]
    assert report["platform"]["cores"] >= 1
    assert report["platform"]["threads"] == torch.get_num_threads()
    assert [entry["op"] for entry in report["backends"] if entry["device"] == "cpu"] == OPS
    assert all(entry["reason"] for entry in report["backends"])
    assert report["search_spaces"] == nasbench101_native.BACKEND
    assert [library["name"].partition(".")[0] for library in report["libraries"]] == ["_C", "_C_cuda", "_spaces"]
    assert [library["loaded"] for library in report["libraries"]] == [
        ops.native_library() is not None, native.cuda_loaded(), nasbench101_native.BACKEND == "native",
    ]  # fmt: skip
    for library in report["libraries"]:
        assert library["reason"].startswith(library["name"]) or not library["loaded"]
        assert library["reason"].endswith(".")
        assert bool(library["path"]) == (Path(wrcor_ext.__file__).parent / library["name"]).is_file()
    # Both of these are loaded, so they can tell.
    if native.cuda_loaded():
        assert all(re.fullmatch(r"(sm|compute)_\d+a?", name) for name in report["libraries"][1]["compiled_for"])
        assert report["libraries"][1]["compiled_for"]
    if ops.native_library() is not None:
        assert report["libraries"][0]["compiled_for"][0] == "baseline"


@pytest.mark.parametrize("op", OPS)
def test_reported_backend_is_the_one_that_answers(op: str) -> None:
    """The dispatcher's own table says which registration a CPU tensor reaches."""
    answers = {answer.op: answer.backend for answer in info.collect().backends if answer.device == "cpu"}
    table = torch._C._dispatch_dump_table(f"wrcor_ext::{op}")
    (row,) = [line for line in table.splitlines() if line.startswith("CPU:")]
    assert answers[op] == ("torch" if "CompositeExplicitAutograd" in row or "default backend" in row else "native")


def render(facts: info.Info, width: int = 200) -> str:
    out = io.StringIO()
    info.render(facts, Console(file=out, width=width, markup=False, highlight=False))
    return out.getvalue()


def test_table_names_every_op_backend_and_reason() -> None:
    facts = info.collect()
    text = render(facts)
    for answer in facts.backends:
        row = next(line for line in text.splitlines() if line.startswith(answer.op) and f" {answer.device} " in line)
        assert answer.backend in row
        assert answer.reason in row
    for version in facts.versions.values():
        assert version in text


def test_table_with_and_without_a_library() -> None:
    libraries = (
        ops.LibraryReport("_C.so", "/some[/path]/_C.so", True, "_C.so is loaded (avx2).", ("baseline", "avx2")),
        ops.LibraryReport("_C_cuda.so", "", False, "this build has no CUDA library (_C_cuda.so)."),
    )
    answer = ops.OpBackend("slogdet", "cpu", "native", "[why] not")
    facts = dataclasses.replace(info.collect(), libraries=libraries, backends=(answer,))
    lines = [line.rstrip() for line in render(facts).splitlines()]
    start = next(index for index, line in enumerate(lines) if line.split()[:1] == ["_C"])
    assert [" ".join(line.split()) for line in lines[start : start + 5]] == [
        "_C /some[/path]/_C.so", "_C.so is loaded (avx2).", "compiled for baseline, avx2",
        "_C_cuda not built", "this build has no CUDA library (_C_cuda.so).",
    ]  # fmt: skip
    assert any("[why] not" in line for line in lines)


def test_gpus_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(name="NVIDIA H100 [80GB]", major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: card)
    facts = info.collect()
    assert facts.platform.gpus == ("NVIDIA H100 [80GB] (compute capability 9.0)",) * 2
    assert "NVIDIA H100 [80GB] (compute capability 9.0); NVIDIA H100 [80GB]" in render(facts)


def test_module_is_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wrcor_ext.info", "--json"], capture_output=True, text=True, check=True, timeout=120
    )
    assert set(json.loads(done.stdout)) == {"versions", "platform", "libraries", "search_spaces", "backends"}


def test_unknown_option_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert info.main(["--yaml"]) == 2
    assert capsys.readouterr().err == "error: unrecognized arguments: --yaml; wrcor info --help lists all options\n"
