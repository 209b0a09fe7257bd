"""The command `search export RUN`: one candidate of a run as files for other programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

import wrcor_ext
from wrcor_ext import cli
from wrcor_ext.errors import InputError
from wrcor_ext.options import whole
from wrcor_ext.reporting import consoles, drawing
from wrcor_ext.search import export_files, export_source, runs
from wrcor_ext.search.exports import leader_facts
from wrcor_ext.search.files import storage_errors, write_atomically
from wrcor_ext.search.refine import Leader, leader
from wrcor_ext.search.runs import Run
from wrcor_ext.search.setup import space_of
from wrcor_ext.search.words import number

COMMAND = "python -m wrcor_ext.search export"

# Two: a batch of one is where a batch of any size goes wrong.
CHECKED_IMAGES = 2


def main(argv: Sequence[str]) -> int:
    """Exports a candidate; returns the exit code 0.

    Raises:
        InputError: if there is no such run or candidate, or the folder holds files of these names.
        WrcorError: if the disk refuses, or a file does not compute what the network does.
    """
    parser = cli.Parser(prog=COMMAND, description="Writes one candidate of a run as files for other programs.")
    parser.add_argument("run", metavar="RUN", help="run folder")
    parser.add_argument("--rank", metavar="N", help="the N-th best, or of the front (default: 1)")
    parser.add_argument("--trial", metavar="N", help="the candidate of this trial instead")
    parser.add_argument("--out", metavar="DIR", help="folder to write to (default: export/trial-N in the run folder)")
    words = parser.parse_args(argv)
    if words.rank is not None and words.trial is not None:
        raise InputError("--rank and --trial both say which candidate: give one of them")
    with runs.opened(Path(words.run)) as run:
        if words.trial is not None:
            chosen = _of_trial(run, number("--trial", words.trial, whole(0)))
        else:
            chosen = _of_rank(run, number("--rank", words.rank or "1", whole(1)))
        folder = run.folder / "export" / f"trial-{chosen.trial.trial}" if words.out is None else Path(words.out)
        contents = files(run, chosen)
        if words.out is not None:
            _refuse_existing(folder, contents)
        written = _write(folder, contents)
    consoles.output().print(
        f"trial {chosen.trial.trial} written to {folder}: {', '.join(written)}", markup=False, soft_wrap=True
    )
    return 0


def files(run: Run, chosen: Leader) -> dict[str, Callable[[], bytes]]:
    """What is written of a candidate: the content by file name, made when it is asked for."""
    environment, seed, text = run.environment, run.config.seed, chosen.trial.architecture
    classes, image_size = int(environment["num_classes"]), int(environment["batch_shape"][-1])
    space = space_of(run.config, num_classes=classes)
    arch = space.parse(text)
    model = space.build(arch, num_classes=classes, seed=seed).eval()
    images = torch.randn(CHECKED_IMAGES, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    contents: dict[str, Callable[[], bytes]] = {
        "architecture.txt": lambda: f"{text}\n".encode(),
        "candidate.json": lambda: (json.dumps(leader_facts(chosen), indent=2) + "\n").encode(),
    }
    if drawing.element(text, run.config.space) is not None:
        contents["architecture.svg"] = lambda: drawing.draw(text, run.config.space).encode()
    made = export_source.construction(space, arch)
    if made is None:
        contents["model.pt2"] = lambda: export_files.program(model, images)
    else:
        contents["model.py"] = lambda: export_source.standalone(
            made,
            title=f"A network of the space {run.config.space} as a file of its own: it needs PyTorch only.",
            origin=f"Trial {chosen.trial.trial} of a search with wrcor_ext {wrcor_ext.__version__} (Apache-2.0).",
            num_classes=classes,
            image_size=image_size,
            seed=seed,
        ).encode()
    return {**contents, **_with_extra(model, images, text, seed)}


def _with_extra(model: nn.Module, images: torch.Tensor, text: str, seed: int) -> dict[str, Callable[[], bytes]]:
    """The files that need the extra `export`; those that cannot be made are named."""
    metadata = {"architecture": text, "seed": str(seed), "wrcor_ext": wrcor_ext.__version__}
    possible: dict[str, tuple[tuple[str, ...], Callable[[], bytes]]] = {
        "weights.safetensors": (("safetensors",), lambda: export_files.safetensors(model, metadata)),
        "model.onnx": (("onnx", "onnxscript", "onnxruntime"), lambda: export_files.onnx(model, images)),
    }
    found = {}
    for name, (packages, content) in possible.items():
        absent = export_files.missing(*packages)
        if absent:
            note = f"note: {name} is left out without {', '.join(absent)}: pip install 'wrcor_ext[export]'"
            consoles.messages().print(note, markup=False)
        else:
            found[name] = content
    return found


def _of_rank(run: Run, rank: int) -> Leader:
    leaders = run.leaders(rank)
    if len(leaders) < rank:
        what = "candidates with a score" if run.front is None else "candidates on its front"
        raise InputError(f"--rank {rank}: the run in {run.folder} has {len(leaders)} {what}")
    return leaders[rank - 1]


def _of_trial(run: Run, wanted: int) -> Leader:
    try:
        trial = run.journal.trial(wanted)
    except KeyError:
        have = run.journal.count()
        raise InputError(f"--trial {wanted}: the run in {run.folder} has {have} trials, the first is 0") from None
    if run.config.objective.values(trial) is None:
        why = trial.evaluation.reason or f"not all of {run.config.objective.name} are known"
        raise InputError(f"--trial {wanted} has no score: {why}")
    return leader(trial)


def _refuse_existing(folder: Path, contents: dict[str, Any]) -> None:
    there = [name for name in contents if (folder / name).exists()]
    if there:
        raise InputError(f"folder {folder} already holds {', '.join(there)}: choose another --out")


def _write(folder: Path, contents: dict[str, Callable[[], bytes]]) -> list[str]:
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_atomically(folder / name, content())
    return list(contents)
