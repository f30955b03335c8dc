"""An HTTP request as an actor sees it, the response it gives, and response headers as they go on the wire."""

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
"""What a caller may give as headers: a mapping (a multidict too) or pairs, in which a name may come twice."""

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110 `token`: the form of a method, of a header name and of a WebSocket subprotocol. The engine answers the client 500
for a response with any other header name."""

TOKEN_RULE: Final = "letters, digits and !#$%&'*+-.^_`|~ only, at least one"
"""`TOKEN` in an error message."""

# CR, LF and NUL would smuggle in a second header, and the engine refuses the other control characters; a tab
# is allowed. A lone surrogate cannot be written as the UTF-8 that the wire carries. Everything else passes as
# it is.
_NOT_IN_A_HEADER_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")

# The engine frames the response itself, and forwards these as they are even where they contradict the body:
# the client would then wait for bytes that never come, or read the next response from the middle.
_FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding"})

# One `; name=value` of a content type. A quoted value is taken whole, so that nothing in it is read as a
# name.
_CONTENT_TYPE_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))')


class Request:
    """An HTTP request, or the request that opened a WebSocket.

    Each open WebSocket keeps one, so the headers and the query stay in their wire form until they are first
    asked for.

    Header names come lower-cased from the engine. Of a repeated header, ``cookie`` too, only the last one
    arrives.
    """

    __slots__ = ("_headers", "_query", "_target", "body", "method")

    method: str
    """``GET`` and so on, as the client sent it. ``OPTIONS`` never arrives: the engine answers it itself."""
    body: bytes
    """The whole body; empty where there was none."""

    def __init__(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take the parts as they come from the wire; ``target`` is the path with the query still on it."""
        self.method = method
        self.body = body
        self._target = target
        self._headers = headers
        self._query: MultiDictProxy[str] | None = None

    @property
    def path(self) -> str:
        """The path without the query, its percent-encoding as the client sent it."""
        return self._target.partition("?")[0]

    @property
    def query_string(self) -> str:
        """What follows the first ``?``, not decoded; empty where there is no query."""
        return self._target.partition("?")[2]

    @property
    def query(self) -> MultiDictProxy[str]:
        """The decoded query, with repeated names and blank values.

        Bytes that are not UTF-8 become U+FFFD.
        """
        if self._query is None:
            pairs = parse_qsl(self.query_string, keep_blank_values=True)
            self._query = MultiDictProxy(MultiDict(pairs))
        return self._query

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers, looked up without regard to letter case."""
        headers = self._headers
        if not isinstance(headers, CIMultiDictProxy):
            # Takes the place of the wire form, so that only one of the two is kept.
            self._headers = headers = CIMultiDictProxy(CIMultiDict(headers))
        return headers

    def wire_form(self) -> tuple[str, dict[str, str]]:
        """Return the path with its query, and the headers, as they came: to make the same request again."""
        return self._target, dict(self._headers)

    def text(self) -> str:
        """Return the body as text, by the charset of ``content-type``, or UTF-8 where it names none.

        Raises ``ValueError`` for a charset that Python does not know, and ``UnicodeDecodeError`` (a
        ``ValueError`` too) for a body that does not fit it.
        """
        charset = _charset(self.headers.get("content-type", "")) or "utf-8"
        try:
            # Looked up on its own, as decoding an empty body does not.
            codecs.lookup(charset)
            return self.body.decode(charset)
        except UnicodeDecodeError:
            raise
        except (LookupError, ValueError) as error:
            raise ValueError(
                f"the request's content-type names the charset {charset!r}, which cannot decode text"
            ) from error

    def json(self) -> Any:
        """Return the body decoded as JSON, whatever its content type.

        Raises ``ValueError`` where it is not JSON.
        """
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise ValueError(f"the request's body is not JSON: {error}") from error

    def __repr__(self) -> str:
        # Headers and query often carry tokens and have no place in a log.
        return f"<Request {self.method} {self.path!r}, {len(self.body)} bytes>"


class Response:
    """The answer to a `Request`.

    It is sent as a whole: the engine passes on no more than the first piece of a response.

    A ``str`` body is sent as UTF-8, with ``content-type: text/plain; charset=utf-8`` unless ``headers`` has
    one. ``content-length`` and ``transfer-encoding`` are left out of ``headers``, since the engine sets its
    own.

    Raises ``TypeError`` for arguments of another type, and ``ValueError`` for a status outside 200 to 999, a
    header name that is not an RFC 9110 token, and a header value with a control character.
    """

    __slots__ = ("_body", "_status", "headers")

    headers: CIMultiDict[str]
    """May be changed until the response is returned; checked again when it is sent."""

    def __init__(self, body: bytes | str = b"", status: int = 200, headers: Headers | None = None) -> None:
        self._status = _checked_status(status)
        self.headers = CIMultiDict(_checked_headers(headers))
        if isinstance(body, str):
            self._body = body.encode()
            self.headers.setdefault("content-type", "text/plain; charset=utf-8")
        elif isinstance(body, bytes | bytearray | memoryview):
            self._body = bytes(body)
        else:
            raise TypeError(f"a response's body is bytes or str, not {type(body).__name__}; see Response.json")

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Headers | None = None) -> Response:
        """Return a response with ``value`` as JSON.

        Structs, dataclasses and dates are written as ``msgspec`` does it. NaN becomes null. Its content type
        is ``application/json`` unless ``headers`` has one. Raises ``TypeError`` for a value that has no JSON
        form, and ``ValueError`` for one that cannot be written, such as a list that contains itself.
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
        """The status code, 200 to 999. To answer another, build another response."""
        return self._status

    @property
    def body(self) -> bytes:
        """The body as it is sent."""
        return self._body

    def __repr__(self) -> str:
        # No headers: set-cookie carries sessions.
        return f"<Response {self._status}, {len(self._body)} bytes>"


def wire_headers(headers: Headers) -> dict[str, str]:
    """Return ``headers`` as the map that the wire carries, checked, with lower-case names.

    A map holds a name once, yet the engine passes names that differ only in letter case on as headers of
    their own. So the values of a repeated header go under one spelling each: ``set-cookie``, ``Set-cookie``,
    ``sEt-cookie``, and so on. A name has ``2 ** letters`` spellings; values beyond that are joined with a
    comma under the last one. Cookies cannot be joined, so more ``set-cookie`` headers than spellings (512) is
    a ``ValueError``.

    The order of values is that of the dict returned; the engine's own map may not keep it. Raises as
    `Response` does.
    """
    pairs = [(name.lower(), value) for name, value in _checked_headers(headers)]
    wire = dict(pairs)
    return wire if len(wire) == len(pairs) else _spelled_apart(pairs)


def _spelled_apart(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return headers of which some repeat, each value under a spelling of its own."""
    values_by_name: dict[str, list[str]] = {}
    for name, value in pairs:
        values_by_name.setdefault(name, []).append(value)
    wire: dict[str, str] = {}
    for name, values in values_by_name.items():
        wire.update(zip(_spellings(name), _fitted(name, values), strict=False))
    return wire


def _fitted(name: str, values: list[str]) -> list[str]:
    """Return ``values``, joined at the end where there are more of them than spellings of ``name``."""
    room = 1 << sum(map(str.isalpha, name))
    if len(values) <= room:
        return values
    if name == "set-cookie":
        # A comma inside a cookie is not a separator: joined cookies would be one broken cookie.
        raise ValueError(f"a response carries at most {room} set-cookie headers, not {len(values)}")
    return [*values[: room - 1], ", ".join(values[room - 1 :])]


def _spellings(name: str) -> Iterator[str]:
    """Yield every spelling of a lower-case name: bit n of a counter says if letter n is upper case."""
    letters = [position for position, character in enumerate(name) if character.isalpha()]
    for counter in range(1 << len(letters)):
        spelling = list(name)
        for bit, position in enumerate(letters):
            if counter >> bit & 1:
                spelling[position] = spelling[position].upper()
        yield "".join(spelling)


def _checked_status(status: object) -> int:
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f"a response's status is an int, not {type(status).__name__}")
    if not 200 <= status <= 999:
        raise ValueError("a response's status must be from 200 to 999: the client would get an empty 500 for any other")
    return int(status)


def _checked_headers(headers: Headers | None) -> Iterator[tuple[str, str]]:
    """Yield the headers that can be sent, raising at the first that is wrong."""
    for name, value in headers.items() if type(headers) is CIMultiDict else _pairs(headers):
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(
                f"header names and values are str, not {type(name).__name__} and {type(value).__name__}; "
                "give a header that repeats as several pairs"
            )
        framing = _is_framing(name)
        if _NOT_IN_A_HEADER_VALUE.search(value):
            # The value may be a session or a token, so the message leaves it out.
            raise ValueError(f"the value of header {name!r} must be without control characters (CR, LF, NUL, ...)")
        if not framing:
            yield name, value


@functools.lru_cache(1024)
def _is_framing(name: str) -> bool:
    """Whether the engine sets this header itself. Raises ``ValueError`` for what cannot be a name."""
    if not TOKEN.fullmatch(name):
        raise ValueError(f"header name {name!r} must be {TOKEN_RULE}")
    return name.lower() in _FRAMING_HEADERS


def _pairs(headers: object) -> Iterator[tuple[object, object]]:
    """Yield the pairs; their types are not known here, whatever the annotations of the caller promise."""
    if headers is None:
        return
    if isinstance(headers, str | bytes) or not isinstance(headers, Iterable):
        raise TypeError(f"headers are a mapping or (name, value) pairs, not {type(headers).__name__}")
    for pair in headers.items() if isinstance(headers, Mapping) else headers:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError("headers are a mapping or (name, value) pairs; one of the items is not a pair")
        yield pair[0], pair[1]


def _charset(content_type: str) -> str | None:
    for match in _CONTENT_TYPE_PARAMETER.finditer(content_type):
        name, quoted, plain = match.groups()
        if name.lower() == "charset":
            return re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain.strip()
    return None
