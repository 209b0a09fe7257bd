"""Builds the native library with CMake and puts it into the package.

Metadata stands in pyproject.toml. Here is only what a declarative file cannot say: finding the torch whose headers the
library compiles against (that of the environment which is installed into, also under build isolation, so that no second
torch is downloaded), deciding whether to compile at all, and naming the wheel. `WRCOR_NATIVE` is the user's word:

- `auto` (default): compile where a compiler, CMake and torch's headers are found, else install without;
- `1`: compile, and fail the installation where that is impossible;
- `0`: install without the native library; the pure-torch reference answers every op.
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
LIBRARY = Path("wrcor_ext", "_C.so")  # what `cmake --install` writes below its prefix
OLDEST_TORCH = (2, 10)


class NotBuildableError(Exception):
    """The native library cannot be compiled here; the message says why."""


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


def compile_library(prefix: Path) -> str:
    """Configures, builds and installs with CMake; returns a description of what was used."""
    torch, cxx, cmake, ninja = torch_folder(), compiler(), tool("cmake"), tool("ninja")
    if cmake is None:
        raise NotBuildableError("no cmake")
    # The folder outlives this process (a second build takes no time) and the temporary environment that pip runs it in:
    # hence every tool is named anew.
    folder = str(ROOT / "build" / ("native-ninja" if ninja else "native-make"))
    configure = [cmake, "-S", str(ROOT), "-B", folder, "-DCMAKE_BUILD_TYPE=Release"]
    configure += [f"-DTORCH_DIR={torch}", f"-DCMAKE_CXX_COMPILER={cxx}"]
    if ninja is not None:
        configure += ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"]
    build = [cmake, "--build", folder]
    install = [cmake, "--install", folder, "--prefix", str(prefix)]
    for step in (configure, build, install):
        print("wrcor_ext:", " ".join(step), flush=True)
        try:
            subprocess.run(step, check=True)
        except subprocess.CalledProcessError as error:
            raise NotBuildableError(f"`{' '.join(step[:2])} ...` failed with exit code {error.returncode}") from error
    return f"torch headers of {torch}, compiler {cxx}"


class BuildNative(build_ext):
    """Stands in for the extension compiler: `_C.so` is a plain shared library, whatever the Python version."""

    def get_ext_filename(self, fullname: str) -> str:
        return str(LIBRARY)

    def get_outputs(self) -> list[str]:
        built = Path(self.build_lib, LIBRARY)
        return [str(built)] if built.exists() and not self.inplace else []

    def get_output_mapping(self) -> dict[str, str]:
        return {}  # an editable installation's library is written to its place at once

    def run(self) -> None:
        choice = os.environ.get("WRCOR_NATIVE", "auto")
        if choice not in ("auto", "0", "1"):
            raise SystemExit(f"WRCOR_NATIVE is {choice!r}: use auto, 0 or 1")
        # An editable installation is loaded from the source tree, a wheel from the build tree.
        prefix = ROOT if self.inplace else Path(self.build_lib).resolve()
        try:
            if choice == "0":
                raise NotBuildableError("switched off")
            decision = f"compiled ({compile_library(prefix)})"
        except NotBuildableError as reason:
            if choice == "1":
                raise SystemExit(f"wrcor_ext: WRCOR_NATIVE=1, but no native library can be built: {reason}") from reason
            (prefix / LIBRARY).unlink(missing_ok=True)  # of an earlier build
            decision = f"none: {reason}; the pure-torch reference will answer"
        print(f"wrcor_ext: native library (WRCOR_NATIVE={choice}): {decision}", flush=True)


class BuildPython(build_py):
    """Starts from an empty folder: files of an earlier build would end up in the wheel."""

    def run(self) -> None:
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class Wheel(bdist_wheel):
    """`py3-none-<platform>`: the library depends on neither the Python nor the torch version (torch's stable ABI)."""

    def get_tag(self) -> tuple[str, str, str]:
        platform = super().get_tag()[2]
        return ("py3", "none", platform if Path(self.bdist_dir, LIBRARY).exists() else "any")


if __name__ == "__main__":
    setup(
        ext_modules=[Extension("wrcor_ext._C", sources=[])],
        cmdclass={"build_ext": BuildNative, "build_py": BuildPython, "bdist_wheel": Wheel},
    )
