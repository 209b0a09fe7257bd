"""The command `search merge OUT SHARD...`: the run that its shards are parts of."""

from __future__ import annotations

import heapq
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wrcor_ext import cli
from wrcor_ext.errors import InputError
from wrcor_ext.reporting import consoles
from wrcor_ext.search import runs, show
from wrcor_ext.search.config import SearchConfig
from wrcor_ext.search.environment import MERGED
from wrcor_ext.search.files import storage_errors
from wrcor_ext.search.journal import Journal
from wrcor_ext.search.latencies import source_of
from wrcor_ext.search.limits import limited
from wrcor_ext.search.runs import Run
from wrcor_ext.search.setup import proposals_are_shared, space_of, strategy_of
from wrcor_ext.search.shards import Shard
from wrcor_ext.search.study import Study
from wrcor_ext.search.trial import Trial

COMMAND = "python -m wrcor_ext.search merge"


@dataclass(frozen=True)
class Part:
    """A shard and the run of it."""

    shard: Shard
    run: Run

    @property
    def progress(self) -> str:
        """How far it is."""
        return f"{self.run.folder} has {self.run.journal.count()} of {self.run.config.own_budget} trials"


def main(argv: Sequence[str]) -> int:
    """Merges shards; returns the exit code 0.

    Raises:
        InputError: if the folders are not the shards of one search, or OUT is in use.
        WrcorError: if the disk refuses; nothing is left behind then.
    """
    parser = cli.Parser(
        prog=COMMAND, description="Joins the shards of a search to one run in a new folder, without changing them."
    )
    parser.add_argument("out", metavar="OUT", help="folder of the joined run; new, or empty")
    parser.add_argument("shards", metavar="SHARD", nargs="+", help="run folders of the shards")
    parser.add_argument(
        "--partial", action="store_true", help="join what there is, though shards are missing or unfinished"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    words = parser.parse_args(argv)
    out = Path(words.out)
    _refuse_existing(out)
    with ExitStack() as stack:
        parts = _parts([stack.enter_context(runs.opened(Path(folder))) for folder in words.shards])
        whole = _refuse_incomplete(parts, partial=words.partial)
        for note in _notes(parts):
            consoles.messages().print(f"note: {note}; scores may differ in their last digits", markup=False)
        _write(out, parts, whole=whole)
    return show.main([str(out), *(["--json"] if words.json else [])])


def merged(parts: Sequence[Part], journal: Journal, *, dedup: bool) -> Iterator[Trial]:
    """The trials of shards in the order of the whole search, numbered anew.

    Where shards scored isomorphic architectures, the first one keeps its scores and the others take them over, as in
    one search.

    Args:
        parts: the shards.
        journal: to which each trial is appended before the next one is asked for.
        dedup: whether isomorphic architectures share their scores.
    """
    ordered = heapq.merge(*map(_numbered, parts), key=lambda numbered: numbered[0])
    for number, (_, trial) in enumerate(ordered):
        first = journal.scored(trial.key, before=number) if dedup else None
        if first is None:
            yield replace(trial, trial=number, duplicate_of=None)
        else:
            yield first.repeated(number, trial.architecture, trial.cost, trial.latency)


def _numbered(part: Part) -> Iterator[tuple[int, Trial]]:
    return ((part.shard.number_of(trial.trial), trial) for trial in part.run.journal.trials())


def _parts(opened: Sequence[Run]) -> list[Part]:
    """The shards in order, if they are shards of one search.

    Raises:
        InputError: if they are not, or one of them is still running.
    """
    found: dict[int, Part] = {}
    for run in opened:
        shard = run.config.part
        if shard is None:
            raise InputError(f"the run in {run.folder} is no shard: it was made without --shard")
        part = Part(shard, run)
        if run.state == "running":
            raise InputError(f"shard {shard} is still running: {part.progress}")
        first = next(iter(found.values()), part)
        _refuse_another_search(first, part)
        if shard.number in found:
            raise InputError(f"{found[shard.number].run.folder} and {run.folder} are both shard {shard}")
        found[shard.number] = part
    return [found[number] for number in sorted(found)]


def _refuse_another_search(first: Part, part: Part) -> None:
    here, there = part.run, first.run
    if part.shard.count != first.shard.count:
        raise InputError(
            f"{there.folder} is shard {first.shard} and {here.folder} is shard {part.shard}: "
            "they are parts of different searches"
        )
    other = _decisive(here.config)
    different = [
        f"{name} is {value!r} in {there.folder} and {other[name]!r} in {here.folder}"
        for name, value in _decisive(there.config).items()
        if other[name] != value
    ]
    if different:
        raise InputError(f"the shards are parts of different searches: {', '.join(different)}")
    if there.environment["batch_sha256"] != here.environment["batch_sha256"]:
        raise InputError(f"the shards in {there.folder} and {here.folder} were scored on different images")


def _decisive(config: SearchConfig) -> dict[str, object]:
    return {**replace(config, shard=None).identity(), "budget": config.budget}


def _refuse_incomplete(parts: Sequence[Part], *, partial: bool) -> bool:
    """Whether all shards are there and complete.

    Raises:
        InputError: if not, and `partial` does not allow it.
    """
    count, budget = parts[0].shard.count, parts[0].run.config.budget
    here = {part.shard.number for part in parts}
    # With a budget below their number, the last shards have nothing to do.
    missing = [Shard(number, count) for number in range(1, min(count, budget) + 1) if number not in here]
    unfinished = [part for part in parts if part.run.state != "complete"]
    if partial or not (missing or unfinished):
        return not (missing or unfinished)
    said = []
    if missing:
        listed = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
        said.append(f"{len(missing)} of {min(count, budget)} shards are missing ({listed})")
    if unfinished:
        said.append(f"{len(unfinished)} are unfinished ({', '.join(part.progress for part in unfinished)})")
    raise InputError(f"{' and '.join(said)}: resume them first, or join what there is with --partial")


def _notes(parts: Sequence[Part]) -> list[str]:
    """What differs between the environments of the shards besides the images, one phrase each."""
    first = parts[0].run
    return [
        f"{name} is {first.environment.get(name)} in {first.folder} and {value} in {part.run.folder}"
        for part in parts[1:]
        for name, value in part.run.environment.items()
        if first.environment.get(name) != value
    ]


def _write(out: Path, parts: Sequence[Part], *, whole: bool) -> None:
    first = parts[0].run
    config = replace(first.config, shard=None)
    shared = proposals_are_shared(config)
    environment = dict(first.environment)
    if not (whole and shared):
        environment[MERGED] = f"{len(parts)} of {parts[0].shard.count} shards"
    with _all_or_nothing(out) as folder, Study(folder, config, environment) as study:
        study.journal.append_all(merged(parts, study.journal, dedup=config.dedup))
        if whole and shared:
            _checkpoint(study.journal, config, environment)
        elif whole and study.journal.count() < config.budget:
            study.journal.checkpoint(study.journal.count(), {}, exhausted=True)  # no state: it cannot go on
        study.export()


def _checkpoint(journal: Journal, config: SearchConfig, environment: Mapping[str, Any]) -> None:
    """Commits the state that the whole search would have ended with, so that it can go on.

    Raises:
        InputError: if the trials are not those that it proposes.
    """
    space = space_of(config, num_classes=environment["num_classes"])
    latencies = None
    if config.max_latency is not None:  # From a table: with measured ones nothing is shared.
        latencies = source_of(config, space, image_size=environment["batch_shape"][-1])
    strategy = strategy_of(config, limited(space, config, latencies, begun=True))
    told, exhausted, state = 0, False, strategy.state()
    while told < config.budget and not exhausted:
        archs = strategy.ask(config.group)
        found = journal.numbered(told, len(archs))
        for number, arch in enumerate(archs[: config.budget - told], start=told):
            if number not in found or found[number].architecture != space.format(arch):
                raise InputError(
                    f"trial {number} of the shards is not {space.format(arch)}, which this release proposes there: "
                    "merge them with the release that they were made with"
                )
        if told + len(archs) > config.budget:
            break  # As in a search: the rest of the group is asked for again, should the budget grow.
        told, exhausted, state = told + len(archs), len(archs) < config.group, strategy.state()
    if told:
        journal.checkpoint(told, state, exhausted=exhausted)


@contextmanager
def _all_or_nothing(out: Path) -> Iterator[Path]:
    """A folder that becomes `out` at the end, or is gone."""
    folder = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        yield folder
        with storage_errors(out):
            folder.rename(out)
    except BaseException:
        with suppress(OSError):
            shutil.rmtree(folder)
        raise


def _refuse_existing(out: Path) -> None:
    with storage_errors(out):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise InputError(f"{out} already exists: choose another OUT")
