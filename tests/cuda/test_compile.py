"""What nvcc makes of the CUDA kernels (spills, registers, shared memory, occupancy); what the library asks of torch.

No GPU is needed. Compiler output is kept in `build/cuda-checks` by the contents of the sources: a second run is quick.
"""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers import emulator
from helpers.commands import run_ok

from wrcor_ext.ops import native

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
CACHE = ROOT / "build" / "cuda-checks"
NVCC = shutil.which("nvcc")

needs_nm = pytest.mark.skipif(shutil.which("nm") is None, reason="no nm")
needs_nvcc = pytest.mark.skipif(NVCC is None, reason="no nvcc")

# The first and the newest architecture and that of the card that the kernels are tuned for; the others take as long.
ARCHITECTURES = [
    "75", "90", "120",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("80", "86", "89", "100")),
]  # fmt: skip

# Kernels, with the threads of a block and the most registers that leave room for the blocks of `MIN_BLOCKS`.
LIMITS = {
    "correlation_slices": 128,
    "correlation_merge": 128,
    "sign_pack": 64,
    "sign_count": 255,
    "slogdet_shared": 64,
    "slogdet_blocked": 128,
}
KERNELS = 18 + 2 + 4 + 2 + 2  # slices: 5 panels for each of 3 types and 3 for float64; merge and count: 2 each


@dataclass(frozen=True)
class Kernel:
    """One line of ptxas."""

    name: str
    symbol: str
    registers: int
    shared: int
    stack: int
    spilled: int


@functools.cache
def compiled(architecture: str) -> tuple[Kernel, ...]:
    """What ptxas says about every kernel for an architecture."""
    assert NVCC is not None
    sources = sorted([*(ROOT / "csrc" / "kernels").glob("*.cuh"), *(ROOT / "csrc" / "cuda").glob("*.cuh")])
    digest = hashlib.sha256(run_ok(NVCC, "--version", cwd=HERE).encode() + architecture.encode())
    for source in [*sources, HERE / "kernels.cu"]:
        digest.update(source.read_bytes())
    kept = CACHE / f"{architecture}-{digest.hexdigest()[:16]}.txt"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [NVCC, "-std=c++17", "-O3", f"-arch=sm_{architecture}", "-Xptxas=-v", "-I", ROOT / "csrc", "-cubin"]
        done = subprocess.run(
            [*command, "-o", kept.with_suffix(".cubin"), HERE / "kernels.cu"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        for old in CACHE.glob(f"{architecture}-*.txt"):
            old.unlink()
        kept.write_text(done.stderr)
    kernels = []
    for part in kept.read_text().split("Compiling entry function")[1:]:
        symbol = re.findall(r"'(\S+)'", part)[0]
        name = next(name for name in LIMITS if name in symbol)
        stack, stores, loads = map(
            int, re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", part)[0]
        )
        shared = re.findall(r"(\d+) bytes smem", part)
        registers = int(re.findall(r"Used (\d+) registers", part)[0])
        kernels.append(Kernel(name, symbol, registers, int(shared[0]) if shared else 0, stack, stores + loads))
    return tuple(kernels)


@needs_nvcc
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_registers_and_shared_memory(architecture):
    kernels = compiled(architecture)
    assert len(kernels) == KERNELS
    for kernel in kernels:
        assert kernel.spilled == 0, kernel
        assert kernel.stack == 0, kernel
        assert kernel.registers <= LIMITS[kernel.name], kernel
        assert kernel.shared <= 48 * 1024, kernel  # what every block may use on every device, without asking


@functools.cache
def occupancy_program() -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    program = CACHE / "occupancy"
    includes = [f"-I{folder}" for folder in emulator.cuda_include()]
    run_ok("g++", "-std=c++17", *includes, "-o", program, HERE / "occupancy.cpp", cwd=HERE)
    return program


def blocks_on_h100(threads: int, kernel: Kernel, dynamic: int = 0) -> int:
    line = f"{threads} {kernel.registers} {kernel.shared} {dynamic}\n"
    done = subprocess.run([occupancy_program()], input=line, capture_output=True, text=True, check=True)
    return int(done.stdout)


@needs_nvcc
@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
def test_occupancy_on_h100():
    # docs/cuda.md counts on these.
    for kernel in compiled("90"):
        if kernel.name == "correlation_slices":
            # 16 warps or more. The rows of a panel, Li16 and so on in the mangled name, say how many a block has.
            threads = {"16": 128, "128": 512}.get(re.findall(r"Li(\d+)E", kernel.symbol)[0], 256)
            assert blocks_on_h100(threads, kernel) >= 512 // threads, kernel
        elif kernel.name == "correlation_merge":
            assert blocks_on_h100(256, kernel) >= 2, kernel
        elif kernel.name == "sign_pack":
            assert blocks_on_h100(256, kernel) >= 6, kernel
        elif kernel.name == "sign_count":
            assert blocks_on_h100(256, kernel) >= (1 if "ILi8E" in kernel.symbol else 2), kernel
        elif kernel.name == "slogdet_shared":
            assert [blocks_on_h100(256, kernel, (n * (n | 1) + 2 * n) * 8) for n in (32, 64, 128, 168)] == [6, 6, 1, 1]
        else:
            assert blocks_on_h100(256, kernel) >= 2, kernel


# Functions of torch that the libraries may need: torch keeps them from 2.10 on.
STABLE_SYMBOLS = {
    line for line in (HERE / "torch_2_10_symbols.txt").read_text().splitlines() if not line.startswith("#")
}

# The libraries, with what Python reads from them.
LIBRARIES = [
    pytest.param(path, own, id=path.name, marks=pytest.mark.skipif(not path.is_file(), reason=f"no {path.name}"))
    for path, own in [
        (native.CPU_LIBRARY, {"wrcor_ext_instruction_sets", "wrcor_ext_instruction_set"}),
        (native.CUDA_LIBRARY, {"wrcor_ext_cuda_architectures"}),
    ]
]


def symbols(library: Path, *options: str) -> set[str]:
    lines = run_ok("nm", "-D", *options, library, cwd=HERE).splitlines()
    return {line.split()[-1].partition("@")[0] for line in lines}


@needs_nm
@pytest.mark.parametrize(("library", "own"), LIBRARIES)
def test_library_needs_only_the_stable_abi(library, own):
    undefined = symbols(library, "--undefined-only")
    of_torch = {name for name in undefined if "torch" in name or "c10" in name or name.startswith("_ZN2at")}
    assert "torch_library_impl" in of_torch
    assert of_torch - STABLE_SYMBOLS == set()
    # CUDA's runtime is inside: torch's may be of another version.
    assert [name for name in undefined if re.match(r"_*cuda", name)] == []


@needs_nm
@pytest.mark.parametrize(("library", "own"), LIBRARIES)
def test_library_exports_what_python_reads_and_no_more(library, own):
    # What remains are weak copies of the C++ library's templates, as the compiler makes them of its headers.
    templates = re.compile(r"_Z(Z|T[IVS])?(NK?)?S[a-z0-9]")
    assert {name for name in symbols(library, "--defined-only") if not templates.match(name)} == own
