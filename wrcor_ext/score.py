"""Entry point of `python -m wrcor_ext.score`; the command itself is in `wrcor_ext.score_command`."""

from __future__ import annotations

import sys

from wrcor_ext.scoring import score

if __name__ == "__main__":
    from wrcor_ext.score_command import main

    sys.exit(main())

# Imported, this module would take the place of the function of the same name in the package: the import system puts
# there what it finds here.
sys.modules[__name__] = score  # type: ignore[assignment]
