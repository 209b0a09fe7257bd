"""What the words of the search command's line mean, and its `--help`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from wrcor_ext import cli
from wrcor_ext.options import add_flags, from_words
from wrcor_ext.search import config as configs
from wrcor_ext.search import folders, subcommands
from wrcor_ext.search.config import NETWORK_OPTIONS, OPTIONS, SearchConfig
from wrcor_ext.search.study import recorded_config

COMMAND = "python -m wrcor_ext.search"

# As `--help` shows them: each option in one group.
GROUPS = {
    "space": ("space", *NETWORK_OPTIONS),
    "limits of every candidate": (
        *("max_flops", "max_params", "max_memory", "max_layers", "max_latency", "latency_table"),
    ),
    "scores and objectives": (
        *("proxies", "maximize", "minimize", "reference_point", "rule", "tail", "amp", "device", "refine", "explain"),
    ),
    "strategy": (
        *("strategy", "population_size", "tournament_size", "learning_rate", "baseline_decay", "warm_up"),
        *("move", "patience"),
    ),
    "trials": ("budget", "group", "dedup", "seed", "cache", "shard"),
    "images": ("dataset", "data_root", "download", "augment", "batch_size", "image_size"),
    "workers": ("workers", "threads", "ray", "timeout"),
    "run folder and output": ("out", "resume", "tensorboard", "callback", "json"),
}


def configuration(argv: Sequence[str]) -> tuple[SearchConfig, Path | None]:
    """What to search, and in which folder.

    Options have their defaults, or the values of the run that is resumed from `--out`; a YAML file overrides those,
    and the command line overrides the file.

    Returns:
        The configuration, and the folder; None stands for a new one in `runs/`.

    Raises:
        InputError: for anything that is not allowed.
    """
    words = vars(_parser().parse_args(argv))
    file = words.pop("config", None)
    layers = [configs.from_yaml(file)] if file is not None else []
    layers.append(from_words(OPTIONS, words))
    given = {name: value for layer in layers for name, value in layer.items()}
    if given.get("out") is None:
        config = configs.resolve(*layers)
        return config, folders.latest_folder(config) if config.resume else None
    folder = Path(given["out"])
    recorded = recorded_config(folder) if given.get("resume") else None
    if recorded is not None:  # what is given may make sense only together with what is recorded
        layers.insert(0, configs.from_mapping(recorded, f"the run in {folder}"))
    return configs.resolve(*layers), folder


def _parser() -> cli.Parser:
    parser = cli.Parser(
        prog=COMMAND,
        usage=f"{COMMAND} [OPTION ...]\n       {COMMAND} {{{','.join(subcommands.COMMANDS)}}} ...",
        description="Searches a space for the architectures that score best without training. "
        "Without any option: NAS-Bench-201, evolution, WRCor, on photographs, in about a minute.",
        epilog="Ctrl-C stops after the running trial; the same command with --resume goes on to the same final result. "
        f"Besides searching: {subcommands.described()}",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--config", metavar="FILE.yaml", help="read options from a YAML file (population_size: 32); flags override it"
    )
    for title, names in GROUPS.items():
        add_flags(parser, {name: OPTIONS[name] for name in names}, configs.DEFAULTS, title=title)
    return parser
