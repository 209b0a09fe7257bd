"""A run folder: its lock, its journal, and the files for people and other programs that are derived from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from wrcor_ext.errors import InputError
from wrcor_ext.search import config as configs
from wrcor_ext.search import environment as environments
from wrcor_ext.search import exports, recovery, report_file
from wrcor_ext.search.config import SearchConfig, recorded_value, to_yaml
from wrcor_ext.search.files import DamagedError, FolderLock, storage_errors, write_atomically
from wrcor_ext.search.front import Front, Standing, leading
from wrcor_ext.search.journal import Journal, read_record
from wrcor_ext.search.recovery import Recovered
from wrcor_ext.search.refine import LEADERS, Leader, leader

JOURNAL = "trials.sqlite"
DERIVED = ("config.yaml", "trials.parquet", "best.json", "report.html")


class Study:
    """An open run folder; a context manager that closes it.

    A new folder is recorded as this configuration's run. A folder that holds a run is taken only to resume it, and
    only with the same configuration and the same images; the budget may grow.

    Args:
        folder: of the run; created with its parents if it is not there. A run without any trial is begun anew.
        config: of the run.
        environment: from `environment(batch)`.
        resume: whether an existing run is gone on with.

    Attributes:
        folder: of the run.
        journal: of the run.
        config: of the run.
        objective: of the run.
        resumed: how many trials it held when it was opened.
        notes: what changed in the environment since the run began, one phrase each.
        recovered: what became of the journal if it was damaged.
        merged: whether it was merged from shards and has nothing to go on from.

    Raises:
        InputError: if the folder is in use, or holds another run, another configuration or other files.
        WrcorError: if the disk refuses.
    """

    def __init__(
        self, folder: Path, config: SearchConfig, environment: Mapping[str, object], *, resume: bool = False
    ) -> None:
        self.folder = folder
        self.config = config
        self.objective = config.objective
        self.notes: list[str] = []
        self.merged = False
        self._leading: tuple[int, list[Leader], Front | None] | None = None
        self.recovered: Recovered | None = None
        _make(folder)
        recovery.finish(folder / JOURNAL)
        _refuse_other_files(folder)
        self._lock = FolderLock(folder)
        began = not (folder / JOURNAL).exists()
        try:
            self.journal = self._opened(environment, resume)
            try:
                self._begin_or_resume(environment, resume)
            except BaseException:
                self.journal.close()
                raise
        except BaseException:
            if began:  # Nothing is in it yet: a full disk may have left a part.
                _remove_journal(folder)
            self._lock.close()
            raise

    def _opened(self, environment: Mapping[str, object], resume: bool) -> Journal:
        """The journal; where it is to be gone on with and is damaged, what can be read of it."""
        path = self.folder / JOURNAL
        if not resume:
            return Journal(path)
        try:
            journal = Journal(path)
            try:
                if not journal.is_new:
                    journal.check()
                return journal
            except BaseException:
                journal.close()
                raise
        except DamagedError:
            record = {"config": self.config.saved(), "environment": dict(environment)}
            self.recovered = recovery.recover(path, record)
            return Journal(path)

    def _begin_or_resume(self, environment: Mapping[str, object], resume: bool) -> None:
        if self.journal.is_new:
            self.journal.create({"config": self.config.saved(), "environment": dict(environment)})
        elif not self.journal.count():  # Stopped or refused before its first trial: there is nothing to keep.
            self.journal.update_record("config", self.config.saved())
            self.journal.update_record("environment", dict(environment))
        else:
            self._check_same_run(environment, resume)
            self.journal.update_record("config", self.config.saved())
        self.resumed = self.journal.count()
        write_atomically(self.folder / "config.yaml", to_yaml(self.config).encode())

    def _check_same_run(self, environment: Mapping[str, object], resume: bool) -> None:
        record = self.journal.record()
        different = [
            f"{name} is {there!r} there and {value!r} here"
            for name, value in self.config.identity().items()
            if (there := recorded_value(record["config"], name)) != value
        ]
        if different:
            raise InputError(
                f"run folder {self.folder} holds a run of another configuration ({', '.join(different)}): "
                "choose another --out"
            )
        if not resume:
            raise InputError(f"run folder {self.folder} already holds a run: add --resume or choose another --out")
        before = record["environment"]
        if before["batch_sha256"] != environment["batch_sha256"]:
            raise InputError(
                f"the images of {self.config.dataset!r} are not those of the run in {self.folder} "
                f"(SHA-256 {before['batch_sha256'][:12]}... there, {str(environment['batch_sha256'])[:12]}... here)"
            )
        done = self.journal.count()
        if done > self.config.own_budget:
            raise InputError(f"run folder {self.folder} holds {done} trials, more than --budget {self.config.budget}")
        self.merged = environments.MERGED in before
        if self.merged and not self.complete:
            raise InputError(
                f"run folder {self.folder} was merged from {before[environments.MERGED]} and cannot go on: "
                "resume the shards and merge them again"
            )
        self.notes = environments.changes(before, environment)

    @property
    def complete(self) -> bool:
        """Whether the budget is spent, or the strategy has nothing more to propose."""
        return self.journal.exhausted or self.journal.count() >= self.config.own_budget

    def fingerprint(self) -> str:
        """SHA-256 over everything the search decided; equal for interrupted and uninterrupted runs."""
        return self.journal.fingerprint()

    def leaders(self) -> list[Leader]:
        """The best candidates by what the journal holds, best first; of several objectives the whole front."""
        return self._led()[1]

    def front(self) -> Front | None:
        """Of several objectives, the candidates that no other dominates; None of one objective."""
        return self._led()[2]

    def standing(self) -> Standing:
        """Follows the best from here on, told of every trial."""
        front = self.front()
        leaders = [one.trial for one in self.leaders()]
        return Standing(self.objective, leaders, front.reference.tolist() if front is not None and leaders else None)

    def _led(self) -> tuple[int, list[Leader], Front | None]:
        count = self.journal.count()
        if self._leading is None or self._leading[0] != count:  # all trials are read: not twice without new ones
            numbers, front = leading(self.journal, self.objective, LEADERS)
            self._leading = count, [leader(self.journal.trial(number)) for number in numbers], front
        return self._leading

    def export(self, leaders: Sequence[Leader] | None = None) -> list[Path]:
        """Writes the derived files from the journal, each at once, and returns their paths.

        Args:
            leaders: the best candidates, best first; those of the journal if None.

        Raises:
            WrcorError: if the disk refuses; files that were there are untouched or complete.
        """
        leaders = self.leaders() if leaders is None else leaders
        record, front = self.journal.record(), self.front()
        best = [one.trial for one in leaders]

        # One after the other: of a long run, each takes much memory while it is made.
        contents: dict[str, Callable[[BinaryIO], object]] = {
            "trials.parquet": lambda file: exports.parquet(file, self.journal.trials(), self.config.members, front),
            **({"best.json": lambda file: file.write(exports.best_json(leaders, front))} if leaders else {}),
            "report.html": lambda file: file.write(
                report_file.html(self.config, record, self.journal.trials, best, front, self._architecture)
            ),
        }
        for name, write in contents.items():
            write_atomically(self.folder / name, write)
        return [self.folder / name for name in ("config.yaml", JOURNAL, *contents)]

    def _architecture(self, number: int) -> str:
        return self.journal.trial(number).architecture

    def close(self) -> None:
        """Closes the journal and lets other processes in."""
        try:
            self.journal.close()
        finally:
            self._lock.close()

    def __enter__(self) -> Study:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def recorded_config(folder: Path) -> dict[str, object] | None:
    """The options of the run in `folder`, or None if there is none."""
    record = read_record(folder / JOURNAL)
    if record is not None:
        return record.get("config")
    saved = folder / "config.yaml"
    if saved.exists() and any(folder.glob(f"{JOURNAL}*")):  # a journal that cannot be read
        with suppress(InputError):
            return configs.resolve(configs.from_yaml(saved)).saved()
    return None


def _make(folder: Path) -> None:
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is not a folder: choose another --out")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _remove_journal(folder: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):
            (folder / f"{JOURNAL}{ending}").unlink(missing_ok=True)


def _refuse_other_files(folder: Path) -> None:
    """A folder without a journal is new, unless it holds files that this run would overwrite."""
    if (folder / JOURNAL).exists():
        return
    for name in DERIVED:
        if (folder / name).exists():
            raise InputError(f"folder {folder} holds {name} but no {JOURNAL}: choose another --out")
