"""``python -m rivet_runner`` is the command ``rivet-runner``."""

from __future__ import annotations

import sys

from rivet_runner.cli import main

if __name__ == "__main__":
    sys.exit(main())
