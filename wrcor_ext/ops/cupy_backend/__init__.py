"""The CUDA kernels compiled at run time: the middle rung of the ladder native, CuPy, torch.

Where no `_C_cuda.so` is loaded, torch is a CUDA build and CuPy is installed, NVRTC compiles the `.cuh` files of
`csrc/kernels` at the first call of an op, and CuPy launches them on torch's current stream. CuPy is imported when a
CUDA tensor or a question about the backends first asks for it, never before.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wrcor_ext.errors import in_words

if TYPE_CHECKING:
    from wrcor_ext.ops.cupy_backend.kernel_ops import KernelOps

OLDEST_CUPY = 14
"""The first version with `cupy.cuda.Stream.from_external`."""


@dataclass(frozen=True)
class Found:
    """What has become of CuPy.

    Attributes:
        ops: the ops, or None where CuPy cannot be used.
        reason: why, or why not; no full stop.
    """

    ops: KernelOps | None
    reason: str


def installed() -> bool:
    """Whether there is a package `cupy`; it is not imported."""
    return importlib.util.find_spec("cupy") is not None


@functools.cache
def find() -> Found:
    """Imports CuPy and looks for all that the kernels need; asked once in a process."""
    if not installed():
        return Found(None, "CuPy is not installed")
    try:
        cupy = importlib.import_module("cupy")
    except Exception as error:  # noqa: BLE001  foreign code: a half-installed CuPy may raise anything
        return Found(None, f"CuPy cannot be imported ({in_words(error)})")
    name = f"CuPy {cupy.__version__}"
    if int(cupy.__version__.partition(".")[0]) < OLDEST_CUPY:
        return Found(None, f"{name} is older than {OLDEST_CUPY}")
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
        cupy.cuda.nvrtc.getVersion()
    except Exception as error:  # noqa: BLE001  CuPy's exceptions share no base class
        return Found(None, f"{name} cannot use the device ({in_words(error)})")
    if devices == 0:
        return Found(None, f"{name} finds no device")
    # Not before: importing `wrcor_ext.ops` would take half as long again, for nothing almost everywhere.
    from wrcor_ext.ops.cupy_backend.compiler import Compiler
    from wrcor_ext.ops.cupy_backend.kernel_ops import KernelOps
    from wrcor_ext.ops.cupy_backend.launcher import CupyLauncher

    try:
        kernels = Compiler(cupy)
    except FileNotFoundError as missing:
        return Found(None, f"{name} cannot compile the kernels: {missing}")
    return Found(KernelOps(CupyLauncher(cupy, kernels)), f"{name} compiles the kernels for the device")
