"""Entry point of `python -m wrcor_ext.score`; the command itself is in `wrcor_ext.score_command`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from wrcor_ext.cli import main

    sys.exit(main(["score", *sys.argv[1:]]))
else:
    from wrcor_ext.scoring import score

    # Imported, this module would take the place of the function of the same name in the package: the import system
    # puts there what it finds here.
    sys.modules[__name__] = score  # type: ignore[assignment]
