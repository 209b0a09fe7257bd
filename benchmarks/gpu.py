"""Everything that a machine with a GPU can tell, in one command: `make gpu PYTHON=python3`.

Needs the repository, a torch that sees a GPU, and nvcc or CuPy; the environment of the Python that runs it is left as
it is, and nothing is downloaded. Steps, in order (`--steps` chooses):

    build       compiles the libraries into the source tree: for the card at hand, unless TORCH_CUDA_ARCH_LIST says else
    answers     asks who answers the ops on the GPU: kernels have to, not the pure-torch reference
    tests       all tests that have to do with CUDA, those on the device among them
    memcheck, racecheck, synccheck, initcheck
                the tests of the ops on the device under NVIDIA's compute-sanitizer; passed over where it is absent
    ops, score  the benchmarks, every result checked first; figures go to benchmarks/results, after the card's name
    report      pictures of them, and the table of what was to be reached

A failed step does not stop the next ones, except for the first two. Exit code: 0, 1 if a step failed, 2 if there is no
GPU (then nothing was built).
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SANITIZER = "compute-sanitizer"
# memcheck and its like look at our kernels alone, by a part of their names. initcheck has to see who wrote the memory
# that they read: it looks at every kernel.
_OURS = ("--kernel-name", "kns=wrcor")
SANITIZER_TOOLS = {"memcheck": _OURS, "racecheck": _OURS, "synccheck": _OURS, "initcheck": ()}
# What compute-sanitizer returns when it has found something; pytest has no such code.
_FOUND = 86


# Fails where the pure-torch reference would answer on the GPU: tests of kernels would be skipped and pass.
_ANSWERS = """
from wrcor_ext import ops
answers = [b for b in ops.backends() if b.device == "cuda"]
print(*(f"{b.op}: {b.backend} ({b.reason})" for b in answers), sep="\\n")
raise SystemExit(any(b.backend == "torch" for b in answers))
"""


@dataclass(frozen=True)
class Step:
    """A command, and what is added to the environment for it; `skipped` says why there is none."""

    name: str
    command: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    skipped: str = ""


def missing() -> str | None:
    """One sentence about what this machine lacks, or None."""
    if importlib.util.find_spec("torch") is None:
        return "this Python has no torch: name one that has with PYTHON=..."
    import torch

    if not torch.cuda.is_available():
        return f"torch {torch.__version__} sees no GPU here"
    if nvcc() is None and importlib.util.find_spec("cupy") is None:
        return "there is neither nvcc nor CuPy, so that no kernel can be compiled"
    return None


def nvcc() -> str | None:
    """Path of CUDA's compiler: CUDACXX, on PATH, or where NVIDIA's installers put it."""
    usual = Path(os.environ.get("CUDA_HOME") or "/usr/local/cuda", "bin")
    return shutil.which(os.environ.get("CUDACXX") or "nvcc") or shutil.which("nvcc", path=str(usual))


def sanitizer() -> str | None:
    """Path of compute-sanitizer: on PATH, or beside nvcc."""
    beside = str(Path(nvcc() or "").resolve().parent)
    return shutil.which(SANITIZER) or shutil.which(SANITIZER, path=beside)


def plan(python: str, capability: str) -> list[Step]:
    """All steps.

    Args:
        python: the interpreter.
        capability: of the card, "9.0".
    """
    benchmarks = ROOT / "benchmarks"
    compiler = nvcc()
    build = {
        "WRCOR_NATIVE": "1",
        **({"WRCOR_CUDA": "0"} if compiler is None else {"WRCOR_CUDA": "1", "CUDACXX": compiler}),
        "TORCH_CUDA_ARCH_LIST": os.environ.get("TORCH_CUDA_ARCH_LIST") or capability,
        "NVCC_APPEND_FLAGS": "-lineinfo",  # so that the sanitizers name lines
    }
    pytest = (python, "-m", "pytest", "-p", "no:cacheprovider")
    steps = [
        Step("build", (python, "setup.py", "--quiet", "build_ext", "--inplace"), build),
        Step("answers", (python, "-c", _ANSWERS)),
        Step("tests", (*pytest, "tests", "-k", "cuda or cupy or gpu")),
    ]
    for tool, options in SANITIZER_TOOLS.items():
        checker = sanitizer()
        if checker is None:
            steps.append(Step(tool, skipped=f"there is no {SANITIZER}"))
            continue
        command = (checker, "--tool", tool, *options, "--error-exitcode", str(_FOUND))
        only = ("-q", "tests/ops", "-k", "cuda and not cuda_torch")
        # torch would hand out parts of large blocks, in which an overrun of one tensor is not seen.
        steps.append(Step(tool, (*command, *pytest, *only), {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}))
    # numpy and the host side get the whole machine: what they are compared with should not win by default.
    device = ("--device", "cuda", "--refcheck", "--threads", str(os.cpu_count() or 1))
    networks = ("--networks", "nasbench201", "nasbench101", "mobilenetv2")
    steps.append(Step("ops", (python, str(benchmarks / "bench_ops.py"), *device)))
    steps.append(Step("score", (python, str(benchmarks / "bench_score.py"), *device, *networks)))
    steps.append(Step("report", (python, str(benchmarks / "summary.py"))))
    return steps


def run(steps: Sequence[Step]) -> dict[str, str]:
    """Runs the steps, says what becomes of each, and returns that: "ok", "failed ..." or "skipped: ..."."""
    outcome: dict[str, str] = {}
    for step in steps:
        if step.skipped:
            outcome[step.name] = f"skipped: {step.skipped}"
            continue
        print(f"\n==> {step.name}: {' '.join(step.command)}", flush=True)
        environ = os.environ | {"PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive"} | step.environ
        began = time.monotonic()
        code = subprocess.run(step.command, cwd=ROOT, env=environ, check=False).returncode
        took = f"{time.monotonic() - began:.0f} s"
        outcome[step.name] = f"ok, {took}" if code == 0 else f"failed with exit code {code}, {took}"
        if code != 0 and step.name in ("build", "answers"):
            break
    return outcome


def main() -> int:
    """Checks the machine, runs the chosen steps, and lists what became of them; the exit code."""
    names = ["build", "answers", "tests", *SANITIZER_TOOLS, "ops", "score", "report"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", nargs="+", choices=names, default=names, metavar="STEP")
    chosen = parser.parse_args().steps
    reason = missing()
    if reason is not None:
        print(f"make gpu: {reason}", file=sys.stderr)
        return 2
    import torch

    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, CUDA {torch.version.cuda}")
    capability = "{}.{}".format(*torch.cuda.get_device_capability())
    outcome = run([step for step in plan(sys.executable, capability) if step.name in chosen])
    print("\n" + "\n".join(f"{name:<10} {what}" for name, what in outcome.items()))
    return 1 if any(what.startswith("failed") for what in outcome.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
