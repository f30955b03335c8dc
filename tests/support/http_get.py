"""A GET from another thread, with the standard library: it also works while the event loop is blocked."""

from __future__ import annotations

import asyncio
import http.client
from typing import NamedTuple

__all__ = ["Got", "get", "get_blocking"]


class Got(NamedTuple):
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes


def get_blocking(
    port: int, path: str, *, method: str = "GET", headers: dict[str, str] | None = None, host: str = "127.0.0.1"
) -> Got:
    """Ask, and return the answer. Blocks."""
    connection = http.client.HTTPConnection(host, port, timeout=60)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return Got(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


async def get(
    port: int, path: str, *, method: str = "GET", headers: dict[str, str] | None = None, host: str = "127.0.0.1"
) -> Got:
    """Ask in another thread."""
    return await asyncio.to_thread(get_blocking, port, path, method=method, headers=headers, host=host)
