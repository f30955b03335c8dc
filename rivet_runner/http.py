"""HTTP requests, responses, and response headers on the wire."""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy

__all__ = ["Headers", "Request", "Response", "wire_headers"]

Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
"""Headers as you may pass them: a mapping, which may be a multidict, or pairs. Names in pairs may repeat."""

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""An RFC 9110 ``token``: the form of a method, of a header name and of a WebSocket subprotocol. If a response has any
other header name, the engine answers the client with a 500."""

TOKEN_RULE: Final = "letters, digits and !#$%&'*+-.^_`|~ only, at least one"
"""`TOKEN` in words, for error messages."""

# CR, LF and NUL would smuggle in a second header. The engine refuses the other control characters, except for the
# tab. A lone surrogate has no UTF-8 form, which the wire carries. All other characters pass unchanged.
_NOT_IN_A_HEADER_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")

# The engine frames the response itself, and forwards these headers even if they contradict the body. The client would
# then wait for bytes that never come, or read the next response from the middle.
_FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding"})

_BYTES: Final = (bytes, bytearray, memoryview)

# One `; name=value` of a content type. A quoted value is matched as a whole, so no part of it is read as a name.
_CONTENT_TYPE_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))')


class Request:
    """An HTTP request, or the request that opened a WebSocket.

    Header names arrive in lower case. If a client repeats a header, ``cookie`` included, only the last one arrives.
    """

    # Each open WebSocket keeps its request, so headers and query stay in their wire form until you first read them.

    __slots__ = ("_headers", "_query", "_target", "body", "method")

    method: str
    """``GET`` and so on, as the client sent it. The engine answers ``OPTIONS`` itself, so it never arrives."""
    body: bytes
    """The whole body, which is empty if the client sent none."""

    def __init__(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        """Make a request from the parts on the wire. ``target`` is the path with its query."""
        self.method = method
        self.body = body
        self._target = target
        self._headers = headers
        self._query: MultiDictProxy[str] | None = None

    @property
    def path(self) -> str:
        """The path without the query, percent-encoded as the client sent it."""
        return self._target.partition("?")[0]

    @property
    def query_string(self) -> str:
        """The part after the first ``?``, not decoded. It is empty if there is no query."""
        return self._target.partition("?")[2]

    @property
    def query(self) -> MultiDictProxy[str]:
        """The decoded query, with repeated names and blank values. Bytes that are not UTF-8 become U+FFFD."""
        if self._query is None:
            pairs = parse_qsl(self.query_string, keep_blank_values=True)
            self._query = MultiDictProxy(MultiDict(pairs))
        return self._query

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers. Lookups ignore letter case."""
        headers = self._headers
        if not isinstance(headers, CIMultiDictProxy):
            # Replace the wire form, so that only one of the two is kept.
            self._headers = headers = CIMultiDictProxy(CIMultiDict(headers))
        return headers

    def wire_form(self) -> tuple[str, dict[str, str]]:
        """Return the path with its query, and the headers, as they came: to make the same request again."""
        return self._target, dict(self._headers)

    def text(self) -> str:
        """Return the body as text, decoded with the charset of ``content-type``, or with UTF-8 if it names none.

        Raises `ValueError` if Python does not know the charset, and `UnicodeDecodeError`, a kind of `ValueError`, if
        the body cannot be decoded.
        """
        charset = _charset(self.headers.get("content-type", "")) or "utf-8"
        try:
            # Decoding an empty body would not look up the charset.
            codecs.lookup(charset)
            return self.body.decode(charset)
        except UnicodeDecodeError:
            raise
        except (LookupError, ValueError) as error:
            raise ValueError(
                f"the request's content-type names the charset {charset!r}, which cannot decode text"
            ) from error

    def json(self) -> Any:
        """Return the body decoded as JSON, for any content type. Raises `ValueError` if it is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise ValueError(f"the request's body is not JSON: {error}") from error

    def __repr__(self) -> str:
        # Headers and query often carry tokens, which must not reach a log.
        return f"<Request {self.method} {self.path!r}, {len(self.body)} bytes>"


class Response:
    """The answer to a `Request`.

    The runner sends a response as a whole, because the engine forwards only the first piece of a response.

    A ``str`` body is sent as UTF-8, with ``content-type: text/plain; charset=utf-8`` unless ``headers`` has a content
    type. ``content-length`` and ``transfer-encoding`` are removed from ``headers``, because the engine sets its own.

    Raises `TypeError` for arguments of another type. Raises `ValueError` if the status is not from 200 to 999, a
    header name is not an RFC 9110 token, or a header value has a control character.
    """

    __slots__ = ("_body", "_status", "headers")

    headers: CIMultiDict[str]
    """You may change the headers until you return the response. They are checked again before it is sent."""

    def __init__(self, body: bytes | str = b"", status: int = 200, headers: Headers | None = None) -> None:
        self._status = _checked_status(status)
        self.headers = CIMultiDict() if headers is None else CIMultiDict(_checked_headers(headers))
        if isinstance(body, str):
            self._body = body.encode()
            self.headers.setdefault("content-type", "text/plain; charset=utf-8")
        elif isinstance(body, _BYTES):
            self._body = bytes(body)
        else:
            raise TypeError(f"a response's body must be bytes or str, not {type(body).__name__}; see Response.json")

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Headers | None = None) -> Response:
        """Return a response with ``value`` as JSON, encoded by ``msgspec``.

        ``msgspec`` also encodes Structs, dataclasses and dates. NaN becomes null. The content type is
        ``application/json`` unless ``headers`` has one. Raises `TypeError` if ``value`` has no JSON form, and
        `ValueError` if it cannot be encoded, for example a list that contains itself.
        """
        try:
            body = msgspec.json.encode(value)
        except (msgspec.EncodeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"the value cannot be written as JSON: {error}") from error
        response = cls(body, status, headers)
        response.headers.setdefault("content-type", "application/json")
        return response

    @property
    def status(self) -> int:
        """The status code, from 200 to 999."""
        return self._status

    @property
    def body(self) -> bytes:
        """The body as bytes."""
        return self._body

    def __repr__(self) -> str:
        # The headers are left out, because `set-cookie` carries sessions.
        return f"<Response {self._status}, {len(self._body)} bytes>"


def wire_headers(headers: Headers) -> dict[str, str]:
    """Check ``headers`` and return them as a map for the wire, with names in lower case.

    A map holds each name once, but the engine forwards names that differ only in letter case as separate headers. So
    each value of a repeated header gets a spelling of its own: ``set-cookie``, ``Set-cookie``, ``sEt-cookie``, and so
    on. A name has ``2 ** letters`` spellings. Further values are joined with a comma under the last spelling. Cookies
    cannot be joined, so more ``set-cookie`` headers than spellings (512) raise `ValueError`.

    The returned dict keeps the order of the values. The engine's own map may not keep it. Raises as `Response` does.
    """
    pairs = [(name.lower(), value) for name, value in _checked_headers(headers)]
    wire = dict(pairs)
    return wire if len(wire) == len(pairs) else _spelled_apart(pairs)


def _spelled_apart(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return repeated headers as a map, with each value under a spelling of its own."""
    values_by_name: dict[str, list[str]] = {}
    for name, value in pairs:
        values_by_name.setdefault(name, []).append(value)
    wire: dict[str, str] = {}
    for name, values in values_by_name.items():
        wire.update(zip(_spellings(name), _fitted(name, values), strict=False))
    return wire


def _fitted(name: str, values: list[str]) -> list[str]:
    """Return ``values``, with the last ones joined if there are more values than spellings of ``name``."""
    room = 1 << sum(map(str.isalpha, name))
    if len(values) <= room:
        return values
    if name == "set-cookie":
        # A comma inside a cookie is not a separator, so joined cookies would be one broken cookie.
        raise ValueError(f"a response carries at most {room} set-cookie headers, not {len(values)}")
    return [*values[: room - 1], ", ".join(values[room - 1 :])]


def _spellings(name: str) -> Iterator[str]:
    """Yield all spellings of a lower-case name. Bit n of a counter tells whether letter n is upper case."""
    letters = [position for position, character in enumerate(name) if character.isalpha()]
    for counter in range(1 << len(letters)):
        spelling = list(name)
        for bit, position in enumerate(letters):
            if counter >> bit & 1:
                spelling[position] = spelling[position].upper()
        yield "".join(spelling)


def _checked_status(status: object) -> int:
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"a response's status must be an int, not {type(status).__name__}")
    if not 200 <= status <= 999:
        raise ValueError("a response's status must be from 200 to 999; the engine would answer any other with an empty 500")
    return int(status)


def _checked_headers(headers: Headers | None) -> Iterator[tuple[str, str]]:
    """Yield the headers to send. Raises at the first header that is wrong."""
    for name, value in headers.items() if type(headers) is CIMultiDict else _pairs(headers):
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(
                f"header names and values must be str, not {type(name).__name__} and {type(value).__name__}; "
                "pass a header that repeats as several pairs"
            )
        framing = _is_framing(name)
        if _NOT_IN_A_HEADER_VALUE.search(value):
            # The value may be a token, so the message leaves it out.
            raise ValueError(f"the value of header {name!r} must not have control characters (CR, LF, NUL, ...)")
        if not framing:
            yield name, value


@functools.lru_cache(1024)
def _is_framing(name: str) -> bool:
    """Whether the engine sets this header itself. Raises `ValueError` if ``name`` cannot be a header name."""
    if not TOKEN.fullmatch(name):
        raise ValueError(f"header name {name!r} must be {TOKEN_RULE}")
    return name.lower() in _FRAMING_HEADERS


def _pairs(headers: object) -> Iterator[tuple[object, object]]:
    """Yield the pairs. Their types are still unchecked, because callers may ignore the annotations."""
    if headers is None:
        return
    if isinstance(headers, str | bytes) or not isinstance(headers, Iterable):
        raise TypeError(f"headers must be a mapping or (name, value) pairs, not {type(headers).__name__}")
    for pair in headers.items() if isinstance(headers, Mapping) else headers:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError("headers must be a mapping or (name, value) pairs; an item is not a pair")
        yield pair[0], pair[1]


def _charset(content_type: str) -> str | None:
    for match in _CONTENT_TYPE_PARAMETER.finditer(content_type):
        name, quoted, plain = match.groups()
        if name.lower() == "charset":
            return re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain.strip()
    return None
