"""Builds the native libraries with CMake and puts them into the package: the kernels, and the search-space algorithms.

Metadata stands in pyproject.toml. Here is only what a declarative file cannot say: finding the torch whose headers the
library compiles against (that of the environment which is installed into, also under build isolation, so that no second
torch is downloaded), deciding whether to compile at all, and naming the wheel. `WRCOR_NATIVE` is the user's word:

- `auto` (default): compile where a compiler, CMake and torch's headers are found, else install without;
- `1`: compile, and fail the installation where that is impossible;
- `0`: install without; the pure-torch reference answers every op, and Python the search spaces.

`WRCOR_CUDA` and `TORCH_CUDA_ARCH_LIST` decide about the library for GPUs in the same way: see csrc/cuda/library.cmake.

The search-space extension alone is left out where Python's headers or pybind11 are missing.
"""

from __future__ import annotations

import os
import re
import shutil
import site
import subprocess
import sys
import sysconfig
from importlib.machinery import PathFinder
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# What `cmake --install` writes below its prefix.
LIBRARY = Path("wrcor_ext", "_C.so")
CUDA_LIBRARY = Path("wrcor_ext", "_C_cuda.so")
# Where the sources of the CUDA kernels go, for CuPy.
KERNELS = Path("wrcor_ext", "kernels")
EXTENSION = Path("wrcor_ext", f"_spaces{sysconfig.get_config_var('EXT_SUFFIX')}")
OLDEST_TORCH = (2, 10)


class NotBuildableError(Exception):
    """The native library cannot be compiled here; the message says why."""


class StepFailedError(NotBuildableError):
    """CMake or a compiler has failed; the message says in which step."""


def torch_folder() -> Path:
    """The `torch` package to compile against, found without importing it."""
    chosen = os.environ.get("WRCOR_TORCH_DIR")
    if chosen:
        folder = Path(chosen)
    else:
        # Build isolation hides the environment's packages from sys.path, yet runs the environment's own interpreter:
        # the site folders still name the place.
        places = [*sys.path, *site.getsitepackages()]
        if sys.prefix == sys.base_prefix:  # a virtual environment does not see the user's own packages
            places.append(site.getusersitepackages())
        spec = PathFinder.find_spec("torch", places)
        if spec is None or spec.origin is None:
            raise NotBuildableError("no torch in this environment (install torch first, or set WRCOR_TORCH_DIR)")
        folder = Path(spec.origin).parent
    version_file = folder / "version.py"
    text = version_file.read_text() if version_file.exists() else ""
    found = re.search(r"__version__ = '((\d+)\.(\d+)[^']*)'", text)
    if found is None:
        raise NotBuildableError(f"{folder} is not a torch package")
    if (int(found[2]), int(found[3])) < OLDEST_TORCH:
        raise NotBuildableError(f"torch {found[1]} is older than {'.'.join(map(str, OLDEST_TORCH))}")
    if not (folder / "include/torch/csrc/stable/library.h").exists():
        raise NotBuildableError(f"torch {found[1]} at {folder} comes without its C++ headers")
    return folder


def tool(name: str) -> str | None:
    """Path of a program on PATH, or of one that pip put beside an interpreter whose environment is not activated."""
    return shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))


def compiler() -> str:
    """The C++ compiler as CMake's list of program and arguments.

    CMake's own search also looks outside PATH; here CXX and PATH have the last word.
    """
    name, *arguments = os.environ.get("CXX", "").split() or [""]
    candidates = [name] if name else ["c++", "g++", "clang++"]
    for candidate in candidates:
        path = shutil.which(candidate)
        if path:
            return ";".join([path, *arguments])
    raise NotBuildableError(f"no C++ compiler (looked for {', '.join(candidates)})")


def pybind11_folder() -> str | None:
    """Where CMake finds pybind11, a build requirement that builds without isolation may lack."""
    try:
        import pybind11
    except ImportError:
        return None
    return pybind11.get_cmake_dir()


def compile_libraries(prefix: Path, cuda: str) -> str:
    """Configures, builds and installs with CMake; returns a description of what was used."""
    torch, cxx, cmake, ninja = torch_folder(), compiler(), tool("cmake"), tool("ninja")
    if cmake is None:
        raise NotBuildableError("no cmake")
    # The folder outlives this process (a second build takes no time) and the temporary environment that pip runs it in:
    # hence every tool is named anew. Each Python has its own: CMake remembers the headers.
    name = f"native-{'ninja' if ninja else 'make'}-{sysconfig.get_config_var('SOABI')}"
    folder = str(ROOT / "build" / name)
    configure = [cmake, "-S", str(ROOT), "-B", folder, "-DCMAKE_BUILD_TYPE=Release"]
    configure += [f"-DTORCH_DIR={torch}", f"-DCMAKE_CXX_COMPILER={cxx}", f"-DWRCOR_CUDA={cuda}"]
    configure += [
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-Dpybind11_DIR={pybind11_folder() or 'pybind11_DIR-NOTFOUND'}",
    ]
    if ninja is not None:
        configure += ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"]
    build = [cmake, "--build", folder]
    install = [cmake, "--install", folder, "--prefix", str(prefix)]
    for step in (configure, build, install):
        print("wrcor_ext:", " ".join(step), flush=True)
        try:
            subprocess.run(step, check=True)
        except subprocess.CalledProcessError as error:
            raise StepFailedError(f"`{' '.join(step[:2])} ...` failed with exit code {error.returncode}") from error
    used = f"torch headers of {torch}, compiler {cxx}"
    used += "; with kernels for GPUs" if (prefix / CUDA_LIBRARY).exists() else "; without kernels for GPUs"
    if not (prefix / EXTENSION).exists():
        used += "; without the search spaces: no headers of Python, or no pybind11"
    return used


def compile_what_can_be(prefix: Path, cuda: str) -> str:
    """As `compile_libraries`; where nvcc is found but does not work, the other libraries are still built."""
    try:
        return compile_libraries(prefix, cuda)
    except StepFailedError as reason:
        # What is wrong without CUDA, too, fails once more: the second message is then the right one.
        if cuda != "auto" or shutil.which("nvcc") is None:
            raise
        print(f"wrcor_ext: {reason}; again without kernels for GPUs", flush=True)
        return compile_libraries(prefix, "0")


class BuildNative(build_ext):
    """Stands in for the extension compiler: CMake builds all libraries at once."""

    def get_ext_filename(self, fullname: str) -> str:
        return str(LIBRARY)

    def get_outputs(self) -> list[str]:
        built = [Path(self.build_lib, library) for library in (LIBRARY, CUDA_LIBRARY, EXTENSION)]
        return [str(library) for library in built if library.exists() and not self.inplace]

    def get_output_mapping(self) -> dict[str, str]:
        return {}  # an editable installation's libraries are written to their places at once

    def run(self) -> None:
        choice = os.environ.get("WRCOR_NATIVE", "auto")
        if choice not in ("auto", "0", "1"):
            raise SystemExit(f"WRCOR_NATIVE is {choice!r}: use auto, 0 or 1")
        cuda = os.environ.get("WRCOR_CUDA") or "auto"
        if cuda not in ("auto", "0", "1"):
            raise SystemExit(f"WRCOR_CUDA is {cuda!r}: use auto, 0 or 1")
        # An editable installation is loaded from the source tree, a wheel from the build tree.
        prefix = ROOT if self.inplace else Path(self.build_lib).resolve()
        for library in (LIBRARY, CUDA_LIBRARY, EXTENSION):
            (prefix / library).unlink(missing_ok=True)  # of an earlier build
        try:
            if choice == "0":
                raise NotBuildableError("switched off")
            decision = f"compiled ({compile_what_can_be(prefix, cuda)})"
        except NotBuildableError as reason:
            if choice == "1":
                raise SystemExit(f"wrcor_ext: WRCOR_NATIVE=1, but no native library can be built: {reason}") from reason
            if choice == "auto" and cuda == "1":
                raise SystemExit(f"wrcor_ext: WRCOR_CUDA=1, but the library cannot be built: {reason}") from reason
            decision = f"none: {reason}; the pure-torch reference will answer"
        print(f"wrcor_ext: native library (WRCOR_NATIVE={choice}): {decision}", flush=True)


class BuildPython(build_py):
    """Starts from an empty folder, where files of an earlier build would end up in the wheel; adds the CUDA kernels.

    CuPy compiles their sources on the user's machine. In a source tree and in an editable installation they are read
    where they are.
    """

    def kernels(self) -> list[tuple[Path, Path]]:
        """(source, its copy in the wheel) of every file."""
        target = Path(self.build_lib, KERNELS)
        return [(path, target / path.name) for path in sorted((ROOT / "csrc" / "kernels").glob("*.cuh"))]

    def run(self) -> None:
        if self.editable_mode:
            super().run()
            return
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        for source, target in self.kernels():
            self.mkpath(str(target.parent))
            self.copy_file(str(source), str(target))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        outputs = list(super().get_outputs(include_bytecode))
        return outputs if self.editable_mode else [*outputs, *(str(target) for _, target in self.kernels())]


class Wheel(bdist_wheel):
    """Names the wheel for what is in it.

    The kernels depend on neither the Python nor the torch version (torch's stable ABI): `py3-none-<platform>`. The
    search-space extension is for one Python version: `cp312-cp312-<platform>`.
    """

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, platform = super().get_tag()
        if Path(self.bdist_dir, EXTENSION).exists():
            return (python, abi, platform)
        return ("py3", "none", platform if Path(self.bdist_dir, LIBRARY).exists() else "any")


if __name__ == "__main__":
    setup(
        ext_modules=[Extension("wrcor_ext._C", sources=[])],
        cmdclass={"build_ext": BuildNative, "build_py": BuildPython, "bdist_wheel": Wheel},
    )
