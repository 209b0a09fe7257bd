"""`wrcor info` tells the truth about this process, as a table and as JSON."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from rich.console import Console

import wrcor_ext
from wrcor_ext import info, ops
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
    library = ops.native_library()
    assert report["libraries"] == ([] if library is None else [json.loads(json.dumps(dataclasses.asdict(library)))])


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
    library = ops.NativeLibrary("/some[/path]/_C.so", ("baseline", "avx2", "avx512"), "avx2")
    answer = ops.OpBackend("slogdet", "cpu", "native", "[why] not")
    facts = dataclasses.replace(info.collect(), libraries=(library,), backends=(answer,))
    text = render(facts)
    assert "/some[/path]/_C.so" in text
    assert "baseline, avx2, avx512; in use: avx2" in text
    assert "[why] not" in text
    assert "none: " in render(dataclasses.replace(facts, libraries=()))


def test_module_is_a_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wrcor_ext.info", "--json"], capture_output=True, text=True, check=True, timeout=120
    )
    assert set(json.loads(done.stdout)) == {"versions", "platform", "libraries", "search_spaces", "backends"}


def test_unknown_option_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert info.main(["--yaml"]) == 2
    assert capsys.readouterr().err == "error: unrecognized arguments: --yaml; wrcor info --help lists all options\n"
