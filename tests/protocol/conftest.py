"""Makes the generator importable: it lies beside the package, which has no use for it when installed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "protocol"))
