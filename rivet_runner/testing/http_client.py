"""One HTTP/1.1 request on one connection, over asyncio.

A connection for each request keeps the client small and makes cancellation simple: the client only has to drop the
connection. Thousands of requests at once need no pool and no threads. The client ignores redirects, cookies and
compression, because a test needs the engine's exact answer.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
from multidict import CIMultiDict

from rivet_runner.errors import RivetRunnerError
from rivet_runner.http import TOKEN, Headers

__all__ = ["HttpExchangeFailed", "HttpResponse", "exchange"]

# Far more than the engine sends. Only a peer that speaks another protocol reaches the limit.
_HEADER_SECTION_LIMIT_BYTES = 256 * 1024
# A response with these never has a body, regardless of its headers (RFC 9112, section 6.3).
_STATUSES_WITHOUT_BODY = frozenset({204, 304})
_METHODS_THAT_NORMALLY_HAVE_A_BODY = frozenset({"POST", "PUT", "PATCH"})
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: .*)?")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")


class HttpExchangeFailed(RivetRunnerError):
    """There is no usable answer: no connection, a connection that closed early, or bytes that are not HTTP/1.1.

    Unless the connection was refused, the server may have carried out the request.
    """


class HttpResponse(msgspec.Struct, frozen=True):
    """A whole response. ``headers`` ignores letter case and has repeated headers, see ``getall``."""

    status: int
    headers: CIMultiDict[str]
    body: bytes

    def text(self) -> str:
        """Return the body decoded as UTF-8. Raises `UnicodeDecodeError`."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body decoded as JSON. Raises ``msgspec.DecodeError``."""
        return msgspec.json.decode(self.body)


class _Connection(asyncio.Protocol):
    """Feeds a stream reader, for which a lost connection is the end of the data.

    asyncio's own stream protocol fails the reader instead. An answer just before a reset, such as a 413 during an
    upload, would be lost.
    """

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader(limit=_HEADER_SECTION_LIMIT_BYTES)
        self.lost: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.reader.set_transport(transport)

    def data_received(self, data: bytes) -> None:
        self.reader.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc
        self.reader.feed_eof()


async def exchange(
    method: str,
    url: str,
    *,
    headers: Headers | None = None,
    body: bytes | None = None,
    timeout: float = 60.0,
) -> HttpResponse:
    """Send one request and return the whole response of any status.

    The path and query of ``url`` are sent unchanged. If ``headers`` has no ``host``, ``connection`` or
    ``content-length``, they are added. Raises `TimeoutError` if the whole exchange takes more than ``timeout``
    seconds, `HttpExchangeFailed` if there is no usable answer, and `ValueError` if the arguments make no valid
    request. Cancelling is safe and drops the connection.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise ValueError(f"not an http or https URL: {url!r}")
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    request = _encode_request(method, url, headers, body)
    what = f"{method} {url}"
    try:
        async with asyncio.timeout(timeout):
            return await _send_and_read(parts.hostname, port, secure, method, request, what)
    except TimeoutError as error:
        # The operating system may also have given up on the connection.
        raise TimeoutError(f"{what}: no whole answer within {timeout:g} s") from error


async def _send_and_read(host: str, port: int, secure: bool, method: str, request: bytes, what: str) -> HttpResponse:
    loop = asyncio.get_running_loop()
    try:
        transport, connection = await loop.create_connection(_Connection, host, port, ssl=secure or None)
    except TimeoutError:
        raise
    except OSError as error:
        raise HttpExchangeFailed(f"{what}: cannot connect: {error}") from error
    try:
        # Do not wait for the end of the upload, because an engine that refuses it answers earlier.
        transport.write(request)
        return await _read_response(connection.reader, method)
    except asyncio.IncompleteReadError as error:
        raise HttpExchangeFailed(f"{what}: the connection closed early") from (connection.lost or error)
    except (asyncio.LimitOverrunError, _NotHttp) as error:
        raise HttpExchangeFailed(f"{what}: the answer is not HTTP/1.1: {error}") from error
    finally:
        transport.abort()


class _NotHttp(Exception):
    """The bytes are not HTTP/1.1. This never leaves the module."""


def _encode_request(method: str, url: str, headers: Headers | None, body: bytes | None) -> bytes:
    parts = urlsplit(url)
    # Rebuilding the target from the parts would lose an empty query ("/path?").
    target = url.partition("://")[2].removeprefix(parts.netloc).partition("#")[0]
    if not target.startswith("/"):
        target = f"/{target}"
    if not TOKEN.fullmatch(method):
        raise ValueError(f"not an HTTP method: {method!r}")
    if not target.isascii() or not target.isprintable() or " " in target:
        raise ValueError(f"path and query are not percent-encoded: {target!r}")
    fields: CIMultiDict[str] = CIMultiDict(headers or ())
    fields.setdefault("host", parts.netloc.rpartition("@")[2])
    fields.setdefault("connection", "close")
    if body is not None or method in _METHODS_THAT_NORMALLY_HAVE_A_BODY:
        fields.setdefault("content-length", str(len(body or b"")))
    lines = [f"{method} {target} HTTP/1.1", *(_header_line(name, value) for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def _header_line(name: str, value: str) -> str:
    if not TOKEN.fullmatch(name) or any(forbidden in value for forbidden in "\r\n\0"):
        raise ValueError(f"not a header that can be sent: {name!r}: {value!r}")
    return f"{name}: {value}"


async def _read_response(reader: asyncio.StreamReader, method: str) -> HttpResponse:
    status, headers = await _read_head(reader)
    while 100 <= status < 200:
        # Interim answers such as "100 Continue". The final one follows on the same connection.
        status, headers = await _read_head(reader)
    if method == "HEAD" or status in _STATUSES_WITHOUT_BODY:
        return HttpResponse(status, headers, b"")
    return HttpResponse(status, headers, await _read_body(reader, headers))


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, CIMultiDict[str]]:
    status_line = await _read_line(reader)
    match = _STATUS_LINE.fullmatch(status_line)
    if match is None:
        raise _NotHttp(f"expected a status line, not {status_line[:80]!r}")
    return int(match[1]), await _read_headers(reader)


async def _read_headers(reader: asyncio.StreamReader) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    size = 0
    while line := await _read_line(reader):
        size += len(line)
        if size > _HEADER_SECTION_LIMIT_BYTES:
            raise _NotHttp(f"the headers have more than {_HEADER_SECTION_LIMIT_BYTES} bytes")
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not TOKEN.fullmatch(name):
            raise _NotHttp(f"expected a header, not {line[:80]!r}")
        headers.add(name, value.strip(" \t"))
    return headers


async def _read_body(reader: asyncio.StreamReader, headers: CIMultiDict[str]) -> bytes:
    # Chunks win over a length. Without both the body ends with the connection (RFC 9112, section 6.3).
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _read_chunked(reader)
    length = headers.get("content-length")
    if length is None:
        return await reader.read()
    if not (length.isascii() and length.isdecimal()):
        raise _NotHttp(f"the content-length is {length!r}")
    return await reader.readexactly(int(length))


async def _read_chunked(reader: asyncio.StreamReader) -> bytes:
    chunks: list[bytes] = []
    while True:
        line = await _read_line(reader)
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise _NotHttp(f"expected a chunk size, not {line[:80]!r}")
        size = int(match[1], 16)
        if size == 0:
            await _read_headers(reader)  # skip the trailers
            return b"".join(chunks)
        chunks.append(await reader.readexactly(size))
        if await reader.readexactly(2) != b"\r\n":
            raise _NotHttp("a chunk is longer than its size")


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    return (await reader.readuntil(b"\r\n"))[:-2]
