"""Where commands print for people."""

from __future__ import annotations

from rich.console import Console

# A table in a file or a pipe should not be folded to the 80 columns that a terminal of unknown width is taken for.
PIPE_WIDTH = 160


def output() -> Console:
    """Standard output, for results; texts of the user's own must be printed without markup."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def messages() -> Console:
    """Standard error, for everything that is no result."""
    return Console(stderr=True, highlight=False, soft_wrap=True)
