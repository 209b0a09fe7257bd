"""What `search` does besides searching, by the first word of its command line."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence

from wrcor_ext.errors import InputError, did_you_mean

# command -> (module with `main(argv) -> int`, what it does)
COMMANDS = {
    "show": ("wrcor_ext.search.show", "what a run has found so far"),
    "compare": ("wrcor_ext.search.compare", "runs side by side, with statistics over seeds"),
    "merge": ("wrcor_ext.search.merge", "the shards of one search joined to a run"),
    "export": ("wrcor_ext.search.export", "one candidate as a model file, weights and ONNX"),
}

Command = Callable[[Sequence[str]], int]


def or_else(search: Command) -> Command:
    """A command that hands its words to the subcommand that the first one names, and to `search` if it names none.

    The command raises InputError for a first word that is neither a subcommand nor an option.
    """

    def command(argv: Sequence[str]) -> int:
        if argv and argv[0] in COMMANDS:
            main: Command = importlib.import_module(COMMANDS[argv[0]][0]).main
            return main(argv[1:])
        if argv and not argv[0].startswith("-"):
            raise InputError(
                f"unknown command {argv[0]!r}: {did_you_mean(argv[0], COMMANDS)}known are {', '.join(COMMANDS)}, and "
                "options of a search, which begin with --"
            )
        return search(argv)

    return command


def described() -> str:
    """The subcommands in one sentence, for `--help`."""
    return "; ".join(f"search {name}: {summary}" for name, (_, summary) in COMMANDS.items()) + "."
