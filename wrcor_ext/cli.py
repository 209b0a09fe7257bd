"""The console script `wrcor`: one name for all commands, each imported only when it is called."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from wrcor_ext import __version__
from wrcor_ext.errors import InputError, WrcorError, did_you_mean

# command -> (module with `main(argv) -> int`, what it does)
COMMANDS = {
    "search": ("wrcor_ext.search", "search a space for the architectures with the best scores"),
    "score": ("wrcor_ext.score_command", "rank any models by their scores on one batch"),
    "info": ("wrcor_ext.info", "show versions, compiled libraries and which backend answers each op"),
}


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are the package's own: one sentence, no usage text around it.

    Raises:
        InputError: from `parse_args`, for an unknown option or a value that cannot be read.
    """

    def error(self, message: str) -> NoReturn:
        """Replaces argparse's usage text and exit; near names are offered for an unknown option."""
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        hint = did_you_mean(unknown[1], sorted({*re.findall(r"--[a-z-]+", self.format_help())})) if unknown else ""
        raise InputError(f"{message}; {hint}{self.prog} --help lists all options")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `wrcor COMMAND ...`.

    Args:
        argv: the arguments after the program's name; those of this process if None.

    Returns:
        The exit code: 0, 2 after an error that is the caller's to mend, or 130 after Ctrl-C.
    """
    # As with `python -m`, the user's own models and spaces are found in the current folder.
    if "" not in sys.path:
        sys.path.append("")
    return run(_dispatch, argv)


def run(command: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> int:
    """Calls a command's main; Ctrl-C is exit code 130.

    An error of the library becomes one line on stderr and exit code 2, and so does one of the operating system: a name
    that is too long, a folder that may not be looked into, a pipe that nobody reads any longer.
    """
    try:
        return command(sys.argv[1:] if argv is None else argv)
    except WrcorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _dispatch(argv: Sequence[str]) -> int:
    # The command's own parser reads what follows its name, --help included: argparse would take that for itself.
    if argv and not argv[0].startswith("-"):
        name, *rest = argv
        if name not in COMMANDS:
            raise InputError(f"unknown command {name!r}: use one of {', '.join(COMMANDS)}")
        command: Callable[[Sequence[str]], int] = importlib.import_module(COMMANDS[name][0]).main
        return command(rest)
    parser = _parser()
    parser.parse_args(argv)
    parser.print_help()
    return 0


def _parser() -> Parser:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    parser = Parser(
        prog="wrcor",
        usage="wrcor [--help] [--version] COMMAND ...",
        description="Zero-shot neural architecture search with weighted response correlation.",
        epilog="\n".join(["commands:", *lines, "", "`wrcor COMMAND --help` shows the options of a command."]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wrcor_ext {__version__}")
    return parser
