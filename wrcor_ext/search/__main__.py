"""Entry point of `python -m wrcor_ext.search`."""

from __future__ import annotations

import sys

from wrcor_ext.cli import main

if __name__ == "__main__":
    sys.exit(main(["search", *sys.argv[1:]]))
