"""The configuration of a search: one dataclass that is the YAML file, the command line and the saved record alike."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Hashable, Mapping
from functools import cached_property
from typing import Any

import yaml

from wrcor_ext import data, spaces, strategies, votes
from wrcor_ext import options as kinds
from wrcor_ext.errors import InputError, did_you_mean
from wrcor_ext.options import Kind, checked, option, options_of
from wrcor_ext.repeats import MAX_REPEATS
from wrcor_ext.scoring_options import MAX_THREADS, SCORES, ScoringOptions
from wrcor_ext.search import goal, shards
from wrcor_ext.search.objective import Objective
from wrcor_ext.search.objectives import REFERENCE_POINT, check_reference, coordinates, settled
from wrcor_ext.search.shards import Shard

# What shapes the network rather than the search; a space that does not take one refuses it.
NETWORK_OPTIONS = ("stem_width", "cells_per_stage", "batch_norm", "stacks", "cells_per_stack", "resolution")


def _own(maximum: int) -> Kind:
    """The space's own unless given. The maxima are far beyond what can be scored, and keep costs within 64 bits."""
    return kinds.optional(kinds.whole(1, maximum), "the space's own")


@dataclasses.dataclass(frozen=True)
class SearchConfig(ScoringOptions):
    """Every option of a search; each field's metadata holds its help text and allowed values.

    Raises:
        InputError: for a value that is not allowed; the message names the option.
    """

    space: str = option(
        "nasbench201",
        "search space",
        kinds.choice(
            spaces.names(), lambda name: spaces.entry(name).name, others="your own as package.module:attribute"
        ),
    )
    stem_width: int | None = option(None, "channels C of the network's first stage", _own(2048))
    cells_per_stage: int | None = option(None, "cells N in each of the network's stages", _own(100))
    stacks: int | None = option(None, "stacks of cells in the network", _own(10))
    cells_per_stack: int | None = option(None, "cells in each stack of the network", _own(100))
    resolution: int | None = option(
        None, "the one input resolution that candidates have, in pixels", _own(data.MAX_IMAGE_SIZE)
    )
    batch_norm: bool = option(True, "batch-norm after the network's convolutions", kinds.switch())
    max_flops: float | None = option(
        None, "most multiply-adds of a candidate", kinds.optional(kinds.positive("multiply-adds"), "no limit")
    )
    max_params: float | None = option(
        None, "most parameters of a candidate", kinds.optional(kinds.positive("parameters"), "no limit")
    )
    max_memory: float | None = option(
        None,
        "most memory that the activations of one image take at the same time, in float32",
        kinds.optional(kinds.positive("bytes"), "no limit"),
    )
    max_layers: int | None = option(
        None, "most convolutions and linear layers of a candidate", kinds.optional(kinds.whole(1), "no limit")
    )
    max_latency: float | None = option(
        None,
        "longest forward pass of one image, measured here or looked up in --latency-table",
        kinds.optional(kinds.positive("milliseconds"), "no limit"),
    )
    latency_table: str | None = option(
        None,
        "CSV file of latencies",
        kinds.optional(kinds.text("a file with the columns architecture and latency_ms"), "measured here"),
    )
    proxies: tuple[str, ...] = option(
        (),
        "scores to compute, and votes over them; the first one ranks unless there are objectives, others are recorded",
        kinds.choices(SCORES, lambda name: votes.lookup(name).name, none="wrcor, or what the objectives need"),
    )
    maximize: tuple[str, ...] = option(
        (),
        "objectives, more of which is better",
        kinds.choices(goal.SYNTAX, goal.checked_name, none="the first of --proxies"),
    )
    minimize: tuple[str, ...] = option(
        (), "objectives, less of which is better", kinds.choices(goal.SYNTAX, goal.checked_name, none="no other")
    )
    reference_point: tuple[str, ...] = option(
        (),
        "of several objectives, what hypervolumes are measured from",
        REFERENCE_POINT,
        role="adjustable",
    )
    strategy: str = option(
        "evolution",
        "how candidates are proposed",
        kinds.choice(strategies.names(), strategies.checked_name),
    )
    population_size: int = option(64, "evolution and nsga2: candidates alive at once", kinds.whole(1, 10**6))
    tournament_size: int = option(10, "evolution: draws per tournament, whose best is mutated", kinds.whole(1, 10**6))
    learning_rate: float = option(1e-3, "reinforce: about how far a candidate moves the policy", kinds.positive())
    baseline_decay: float = option(
        0.9, "reinforce: the share of the average reward so far that stays with each candidate", kinds.share()
    )
    warm_up: int = option(
        100, "reinforce: random candidates at the beginning that decide the scale of rewards", kinds.whole(2, 10**6)
    )
    move: str = option(
        "first",
        "local: go on from the first better neighbour, or from the best of all",
        kinds.choice(strategies.local.MOVES),
    )
    patience: int = option(64, "local: most neighbours scored before a new start", kinds.whole(1, 10**6))
    group: int = option(
        8,
        "candidates asked for at a time; a strategy learns from them together, workers share them",
        kinds.whole(1, 10**4),
    )
    dedup: bool = option(
        True, "score isomorphic candidates once; without, each one as in the published code", kinds.switch()
    )
    budget: int = option(128, "number of trials, those of the resumed run included", kinds.whole(1), role="adjustable")
    shard: str | None = option(
        None,
        "evaluate only part I of N parts of the search, for `search merge` to join",
        kinds.optional(shards.kind(), "the whole search"),
    )
    workers: int | None = option(
        None,
        "processes that evaluate candidates side by side; the results do not depend on it",
        kinds.optional(kinds.whole(1, MAX_THREADS), "one per core, or per --threads of them"),
        role="adjustable",
    )
    # One: the last digits of a score depend on their number, and a core is better used by a worker of its own.
    threads: int = option(1, "CPU threads of each worker", kinds.whole(1, MAX_THREADS), role="adjustable")
    ray: str | None = option(
        None,
        "evaluate on a Ray cluster, without a value on one that is started here (needs the extra 'ray')",
        kinds.optional(kinds.text("local, auto or HOST:PORT of a running one"), "no Ray"),
        role="adjustable",
        alone="local",
    )
    timeout: float | None = option(
        None,
        "longest time for a candidate, tried twice",
        kinds.optional(kinds.positive("seconds"), "no limit"),
        role="adjustable",
    )
    cache: str | None = option(
        None,
        "folder of scores that runs share: what is there costs nothing",
        kinds.optional(kinds.text("a folder"), "not used"),
        role="adjustable",
    )
    refine: int = option(
        0,
        "at the end, most times that the five best are scored again, on other images and weights, while near ties",
        kinds.whole(0, MAX_REPEATS),
        role="adjustable",
    )
    tensorboard: bool = option(
        False, "write scalars for TensorBoard into the run folder", kinds.switch(), role="session"
    )
    callback: str | None = option(
        None,
        "your own hook, told of every trial",
        kinds.optional(kinds.text("package.module:attribute"), "none"),
        role="session",
    )
    out: str | None = option(
        None,
        "run folder",
        kinds.optional(kinds.text("a folder"), "a new numbered one in runs/"),
        role="session",
    )
    resume: bool = option(False, "go on with the run in the folder, or begin it there", kinds.switch(), role="session")

    def __post_init__(self) -> None:
        for name, entry in OPTIONS.items():
            object.__setattr__(self, name, checked(entry, getattr(self, name), name))
        for name, names in settled(self.maximize, self.minimize, self.proxies).items():
            object.__setattr__(self, name, names)
        check_reference(self.reference_point, self.objective)
        if self.refine and self.objective.is_front:
            raise InputError(f"refine {self.refine}: of several objectives ({self.objective.name}) no one is the best")

    def __getstate__(self) -> dict[str, Any]:
        # Without the objective: other processes look the proxies up by their names.
        return {name: getattr(self, name) for name in OPTIONS}

    @cached_property
    def objective(self) -> Objective:
        """What is searched for: the objectives, or else the first of the proxies and votes."""
        if self.maximize or self.minimize:
            return Objective.of(self.maximize, self.minimize, coordinates(self.reference_point))
        return Objective.named(self.proxies[0])

    @property
    def part(self) -> Shard | None:
        """Which part of a search this is; None for a whole one."""
        return None if self.shard is None else Shard.parse(self.shard)

    @property
    def own_budget(self) -> int:
        """Number of trials of this run: the budget, or its part of it."""
        return self.budget if self.part is None else self.part.share(self.budget)

    def saved(self) -> dict[str, Any]:
        """What is recorded of the run: all options but those of one session, in YAML and JSON types."""
        return {name: _plain(getattr(self, name)) for name, entry in OPTIONS.items() if entry.role != "session"}

    def identity(self) -> dict[str, Any]:
        """What makes two runs one and the same: the options that decide each trial."""
        return {name: _plain(getattr(self, name)) for name, entry in OPTIONS.items() if entry.role == "result"}


OPTIONS = options_of(SearchConfig)
DEFAULTS = SearchConfig()


def recorded_value(recorded: Mapping[str, object], name: str) -> object:
    """An option of a recorded run; the default, where it is of a release that did not know the option yet."""
    return recorded[name] if name in recorded else _plain(getattr(DEFAULTS, name))


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def resolve(*layers: Mapping[str, object]) -> SearchConfig:
    """The configuration that gives each option its value in the last layer that names it.

    Args:
        layers: checked values by option name, such as `from_yaml` and the command line give.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update(layer)
    return SearchConfig(**merged)


def from_mapping(values: Mapping[str, object], source: str) -> dict[str, Any]:
    """Checked option values from untrusted ones.

    Args:
        values: by option name.
        source: where they come from, for messages.

    Raises:
        InputError: for an unknown option or a value that is not allowed.
    """
    result = {}
    for name, value in values.items():
        if name not in OPTIONS:
            raise InputError(
                f"{source}: unknown option {name!r}: {did_you_mean(name, OPTIONS)}known are {', '.join(OPTIONS)}"
            )
        result[name] = checked(OPTIONS[name], value, f"{source}: {name}")
    return result


def from_yaml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The options that a YAML file gives.

    Raises:
        InputError: if the file cannot be read, is no YAML mapping, or holds an option that is not allowed.
    """
    try:
        with open(path, encoding="utf-8") as file:
            values = _SafeLoader(file).get_single_data()
    except OSError as error:
        raise InputError(f"cannot read configuration {os.fspath(path)!r}: {error.strerror}") from error
    except InputError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or the 31st of February
        raise InputError(f"{os.fspath(path)} is not valid YAML: {_one_line(error)}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"{os.fspath(path)}: expected 'option: value' lines, not a {type(values).__name__}")
    return from_mapping({str(name): value for name, value in values.items()}, os.fspath(path))


def to_yaml(config: SearchConfig) -> str:
    """The recorded options as YAML, one help comment per option; `from_yaml` reads it back."""
    lines = [
        "# A search of wrcor_ext. The same run again: python -m wrcor_ext.search --config THIS_FILE --out NEW_FOLDER"
    ]
    for name, value in config.saved().items():
        lines.append(f"# {OPTIONS[name].help}: {OPTIONS[name].kind.expected}")
        lines.append(yaml.safe_dump({name: value}, allow_unicode=True).rstrip())
    return "\n".join(lines) + "\n"


class _SafeLoader(yaml.SafeLoader):
    """PyYAML's safe loader takes the last value of a key that is given twice; here that is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    mark = key.start_mark
                    raise InputError(f"{mark.name}: {key.value!r} is given twice, again in line {mark.line + 1}")
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
