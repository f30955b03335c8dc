"""The versions of the protocol that a runner can speak.

The codec of a version takes milliseconds to import, so it is imported when the version is first spoken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rivet_runner._session.dialect import Dialect, RunnerInit
    from rivet_runner._session.dialect_v3 import DialectV3
    from rivet_runner._session.dialect_v7 import DialectV7

__all__ = ["DEFAULT_VERSION", "VERSIONS", "new_dialect", "serverless_packet"]


def _v3() -> type[DialectV3]:
    from rivet_runner._session.dialect_v3 import DialectV3

    return DialectV3


def _v7() -> type[DialectV7]:
    from rivet_runner._session.dialect_v7 import DialectV7

    return DialectV7


_DIALECTS: Final[dict[int, Callable[[], type[DialectV3 | DialectV7]]]] = {3: _v3, 7: _v7}

VERSIONS: Final = tuple(_DIALECTS)

DEFAULT_VERSION: Final = 3


def new_dialect(version: int, init: RunnerInit) -> Dialect:
    """Return a dialect for one runner. ``version`` is one of `VERSIONS`."""
    return _DIALECTS[version]()(init)


def serverless_packet(version: int, runner_id: str) -> bytes:
    """Encode the packet that tells the engine which runner answers its request. ``version`` is one of `VERSIONS`."""
    return _DIALECTS[version]().serverless_packet(runner_id)
