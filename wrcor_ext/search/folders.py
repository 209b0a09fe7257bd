"""Which folder a run without `--out` goes to."""

from __future__ import annotations

import re
from pathlib import Path

from wrcor_ext.search.config import SearchConfig, recorded_value
from wrcor_ext.search.files import storage_errors
from wrcor_ext.search.study import recorded_config

ROOT = Path("runs")


def _stem(config: SearchConfig) -> str:
    # Votes, and whatever is a reference to an object, hold what neither shells nor file systems are fond of.
    names = (config.space, config.strategy, config.objective.name)
    stem = "-".join(re.sub(r"\W+", "-", name).strip("-") for name in names)
    return stem if config.part is None else f"{stem}-shard{config.part.number}of{config.part.count}"


def _numbered(config: SearchConfig, root: Path) -> dict[int, Path]:
    """The folders of this kind of run by number, newest first."""
    pattern = re.compile(re.escape(_stem(config)) + r"-(\d+)")
    found = {int(match[1]): path for path in root.glob("*") if (match := pattern.fullmatch(path.name))}
    return dict(sorted(found.items(), reverse=True))


def new_folder(config: SearchConfig, root: Path = ROOT) -> Path:
    """Makes `runs/SPACE-STRATEGY-OBJECTIVE-NUMBER` with the next free number.

    Raises:
        WrcorError: if the disk refuses.
    """
    number = max(_numbered(config, root), default=0)
    while True:
        number += 1
        folder = root / f"{_stem(config)}-{number}"
        with storage_errors(folder):
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                if folder.exists():  # Another process was faster.
                    continue
                raise
        return folder


def latest_folder(config: SearchConfig, root: Path = ROOT) -> Path | None:
    """The newest folder in `runs/` that holds a run of this configuration (the budget may differ)."""
    wanted = config.identity()
    for folder in _numbered(config, root).values():
        recorded = recorded_config(folder)
        if recorded is not None and all(recorded_value(recorded, name) == value for name, value in wanted.items()):
            return folder
    return None
