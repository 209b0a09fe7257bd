"""Schemas, fakes, fall back, environment variables: how the ops get to who answers them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.tensors import draw, integers, matrices

from wrcor_ext import ops
from wrcor_ext.errors import InputError
from wrcor_ext.ops import native

needs_native = pytest.mark.skipif(ops.native_library() is None, reason=ops.native_reason())
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
PACKAGE = Path(ops.__file__).parent.parent


@pytest.mark.parametrize("shape", [(3, 5), (4, 2, 3, 5)])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_opcheck(device, shape):
    k, counts = matrices(shape[0], shape[0], device=device), integers(0, 0, device=device)
    x = draw(*shape, device=device)
    torch.library.opcheck(torch.ops.wrcor_ext.response_correlation.default, (x,))
    torch.library.opcheck(torch.ops.wrcor_ext.accumulate_correlation.default, (k, x, 2.0, counts))
    group = (torch.stack((k, k)), [x, draw(shape[0], 9, device=device)], [1.0, 2.0, 0.0, 4.0], counts.clone())
    torch.library.opcheck(torch.ops.wrcor_ext.accumulate_correlation_group.default, group)
    torch.library.opcheck(torch.ops.wrcor_ext.accumulate_hamming.default, (k, x, 2.0, counts))
    torch.library.opcheck(torch.ops.wrcor_ext.slogdet.default, (draw(2, 3, 3, dtype=torch.float64, device=device),))


def test_shapes_on_the_meta_device():
    x = torch.empty(6, 2, 3, device="meta", dtype=torch.bfloat16)
    result = torch.ops.wrcor_ext.response_correlation(x)
    assert (result.shape, result.dtype, result.device.type) == ((6, 6), torch.float64, "meta")
    sign, logabsdet = torch.ops.wrcor_ext.slogdet(torch.empty(4, 6, 6, device="meta", dtype=torch.float64))
    assert sign.shape == logabsdet.shape == (4,)


def test_backends_tell_who_answers():
    report = {(entry.op, entry.device): entry for entry in ops.backends()}
    assert {op for op, _ in report} == {
        "response_correlation", "accumulate_correlation", "accumulate_correlation_group", "accumulate_hamming",
        "slogdet",
    }  # fmt: skip
    expected = "torch" if ops.native_library() is None else "native"
    assert {entry.backend for entry in report.values() if entry.device == "cpu"} == {expected}
    assert {entry.backend for entry in report.values() if entry.device == "cuda"} == {native.cuda_backend()}
    assert (native.cuda_backend() == "native") == native.cuda_loaded()
    assert {entry.reason for entry in report.values() if entry.device == "cuda"} == {native.cuda_reason()}
    assert all(entry.reason.endswith(".") for entry in report.values())


def run(code: str, package: Path = PACKAGE, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WRCOR_EXT_")}
    return subprocess.run(
        [sys.executable, "-c", f"import torch; torch.set_num_threads(1); from wrcor_ext import ops; {code}"],
        env=clean | {"PYTHONPATH": str(package.parent)} | environment,
        cwd=package.parent,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def uncompiled(tmp_path_factory):
    """A copy of the package without its compiled library."""
    package = tmp_path_factory.mktemp("uncompiled") / "wrcor_ext"
    shutil.copytree(PACKAGE / "ops", package / "ops", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE / "errors.py", package)
    (package / "__init__.py").touch()
    return package


def test_without_a_library_the_reference_answers_and_says_so_once(uncompiled):
    done = run(
        "[ops.response_correlation(torch.randn(3, 9)) for _ in range(3)]; print(ops.native_library())", uncompiled
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "None"
    assert (
        done.stderr.count("wrcor_ext uses its slower pure-torch kernels: the compiled library _C.so was not built.")
        == 1
    )


FORBIDDEN = """
import os
from wrcor_ext.errors import WrcorError
x = torch.randn(3, 9)
for required in ("native", "cuda", "fast"):
    os.environ["WRCOR_EXT_REQUIRE"] = required
    for call in (ops.response_correlation, torch.ops.wrcor_ext.response_correlation):
        try:
            call(x)
        except WrcorError as error:
            print(type(error).__name__, error)
"""


def test_falling_back_can_be_forbidden(uncompiled):
    done = run(f"exec({FORBIDDEN!r})", uncompiled)
    assert done.returncode == 0, done.stderr
    expected = [
        "BackendError WRCOR_EXT_REQUIRE=native, but the compiled library _C.so was not built",
        "BackendError WRCOR_EXT_REQUIRE=cuda, but this build has no CUDA library (_C_cuda.so)",
        "InputError WRCOR_EXT_REQUIRE must be 'native' or 'cuda', not 'fast'",
    ]
    # What has become of CuPy, which a CUDA torch makes a part of the reason, is for test_cupy_ladder.py.
    said = [line.partition("; CuPy ")[0].removesuffix(".") for line in done.stdout.splitlines()]
    assert said == [line for line in expected for _ in range(2)]
    assert not done.stderr


@needs_native
def test_a_compiled_library_satisfies_the_requirement(monkeypatch):
    monkeypatch.setenv("WRCOR_EXT_REQUIRE", "native")
    assert ops.response_correlation(torch.randn(3, 9)).shape == (3, 3)


def test_a_damaged_library_falls_back(uncompiled, tmp_path):
    shutil.copytree(uncompiled, tmp_path / "wrcor_ext")
    (tmp_path / "wrcor_ext" / "_C.so").write_bytes(b"not a library")
    done = run("print(ops.native_reason())", tmp_path / "wrcor_ext")
    assert done.returncode == 0, done.stderr
    assert "_C.so does not load" in done.stdout


def test_a_damaged_cuda_library_is_left_alone(uncompiled, tmp_path):
    shutil.copytree(uncompiled, tmp_path / "wrcor_ext")
    (tmp_path / "wrcor_ext" / "_C_cuda.so").write_bytes(b"not a library")
    code = (
        "from wrcor_ext.ops import native; print(native.cuda_loaded(), native.cuda_reason(), ops.backends()[1].reason)"
    )
    done = run(code, tmp_path / "wrcor_ext")
    assert done.returncode == 0, done.stderr
    loaded, *reasons = done.stdout.split(" ", 1)
    assert loaded == "False"
    expected = "is built without CUDA" if torch.version.cuda is None else "_C_cuda.so does not load"
    assert reasons[0].count(expected) == 2


def test_a_torch_without_cuda_leaves_the_cuda_library_alone(monkeypatch, tmp_path):
    library = tmp_path / "_C_cuda.so"
    library.write_bytes(b"never read")
    monkeypatch.setattr(native, "CUDA_LIBRARY", library)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(native, "_cuda", native._load_cuda())
    expected = native.LibraryReport(
        "_C_cuda.so", str(library), False, f"this torch ({torch.__version__}) is built without CUDA."
    )
    assert ops.libraries()[1] == expected


COMPARE = """
from wrcor_ext.ops import reference
worst = 0.0
for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
    for n, d in ((3, 33), (21, 5001), (64, 300)):
        x = (torch.randn(n, d, generator=torch.Generator().manual_seed(d)) + 3).to(dtype)
        error = (ops.response_correlation(x) - reference.response_correlation(x)).abs().max().item()
        assert error < (1e-12 if dtype == torch.float64 else 2e-6), (dtype, n, d, error)
        k, counts = torch.zeros(n, n, dtype=torch.float64), torch.zeros(2, dtype=torch.int64)
        other = k.clone()
        ops.accumulate_hamming(k, x, 1.0, counts)
        reference.accumulate_hamming(other, x, 1.0, counts)
        assert torch.equal(k, other)
k = torch.randn(2, 33, 33, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
torch.testing.assert_close(ops.slogdet(k), reference.slogdet(k), rtol=1e-12, atol=1e-12)
print(ops.native_library().instruction_set)
"""


@needs_native
@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
def test_every_instruction_set(isa):
    library = ops.native_library()
    known = list(library.instruction_sets)
    if isa not in known or known.index(isa) > known.index(library.instruction_set):
        pytest.skip(f"this processor uses {library.instruction_set} at best")
    done = run(f"exec({COMPARE!r})", WRCOR_EXT_ISA=isa)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == isa


@needs_native
def test_unknown_instruction_set_is_refused(monkeypatch):
    monkeypatch.setenv("WRCOR_EXT_ISA", "mmx")
    with pytest.raises(InputError, match=r"^WRCOR_EXT_ISA must be 'baseline'.*, not 'mmx'\.$"):
        native.load()


def test_import_loads_no_heavy_module():
    done = run("import sys; print('torch._dynamo' in sys.modules, 'torch._inductor' in sys.modules)")
    assert done.stdout.split() == ["False", "False"]
