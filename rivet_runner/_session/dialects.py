"""The versions of the protocol that a runner can speak."""

from __future__ import annotations

from typing import Final

from rivet_runner._session.dialect import Dialect, RunnerInit
from rivet_runner._session.dialect_v3 import DialectV3
from rivet_runner._session.dialect_v7 import DialectV7

__all__ = ["DEFAULT_VERSION", "VERSIONS", "new_dialect", "serverless_packet"]

_DIALECTS: Final[dict[int, type[DialectV3 | DialectV7]]] = {kind.version: kind for kind in (DialectV3, DialectV7)}

VERSIONS: Final = tuple(_DIALECTS)

DEFAULT_VERSION: Final = DialectV3.version


def new_dialect(version: int, init: RunnerInit) -> Dialect:
    """Return a dialect for one runner. ``version`` is one of `VERSIONS`."""
    return _DIALECTS[version](init)


def serverless_packet(version: int, runner_id: str) -> bytes:
    """Encode the packet that tells the engine which runner answers its request. ``version`` is one of `VERSIONS`."""
    return _DIALECTS[version].serverless_packet(runner_id)
