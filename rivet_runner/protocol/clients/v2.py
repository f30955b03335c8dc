# This file is generated from protocol/clients/common.bare and protocol/clients/v2.bare by protocol/generate.py: change the schema, and generate again.
# mypy: no-warn-unreachable
# ruff: noqa: E501
"""The messages of client protocol 2 as frozen Structs, and the functions that encode and decode them.

``encode_*`` raises a ``TypeError`` or ``ValueError`` that names the field. ``decode_*`` takes any bytes-like
object and raises ``DecodeError`` for anything but exactly one message; it makes a ``list`` of a list, and a
``dict`` of a map in the order of the bytes. A type without contents is a Struct without fields, and a message
that is a list is a Struct with the one field ``items``.
"""

from __future__ import annotations

import collections.abc
import typing

import msgspec

from rivet_runner.protocol import _bare
from rivet_runner.protocol.clients._shared import (
    TO_SERVER_READERS,
    TO_SERVER_WRITERS,
    read_action_response,
    read_event,
    read_http_action_request,
    read_http_action_response,
    write_action_response_tag_2,
    write_event_tag_3,
    write_http_action_request,
    write_http_action_response,
)
from rivet_runner.protocol.clients.messages import (
    ActionId,
    ActionRequest,
    ActionResponse,
    Cbor,
    Event,
    HttpActionRequest,
    HttpActionResponse,
    SubscriptionRequest,
    ToServer,
)

__all__ = [
    "ActionId",
    "ActionRequest",
    "ActionResponse",
    "Cbor",
    "Error",
    "Event",
    "HttpActionRequest",
    "HttpActionResponse",
    "HttpResponseError",
    "Init",
    "SubscriptionRequest",
    "ToClient",
    "ToServer",
    "decode_http_action_request",
    "decode_http_action_response",
    "decode_http_response_error",
    "decode_to_client",
    "decode_to_server",
    "encode_http_action_request",
    "encode_http_action_response",
    "encode_http_response_error",
    "encode_to_client",
    "encode_to_server",
]


class Init(msgspec.Struct, frozen=True, gc=False):
    """The first message: the connection is open."""

    actor_id: str
    connection_id: str


class Error(msgspec.Struct, frozen=True, gc=False):
    """An action failed, or the connection if there is no action."""

    group: str
    code: str
    message: str
    metadata: Cbor | None
    action_id: ActionId | None


class HttpResponseError(msgspec.Struct, frozen=True, gc=False):
    """``HttpResponseError`` of the schema."""

    group: str
    code: str
    message: str
    metadata: Cbor | None


ToClient: typing.TypeAlias = Init | Error | ActionResponse | Event


_ONE_BYTE: typing.Final = _bare.ONE_BYTE


def _read_init(buf: bytes, at: int, size: int) -> tuple[Init, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("Init.actor_id", 1))
    actor_id_size = buf[at]
    at += 1
    if actor_id_size > 127:
        actor_id_size, at = _bare.read_long_uint(buf, at - 1, size, "Init.actor_id")
    end = at + actor_id_size
    if end > size:
        raise _bare.runs_past_end("Init.actor_id", actor_id_size, at, size)
    try:
        actor_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("Init.actor_id", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("Init.connection_id", 1))
    connection_id_size = buf[at]
    at += 1
    if connection_id_size > 127:
        connection_id_size, at = _bare.read_long_uint(buf, at - 1, size, "Init.connection_id")
    end = at + connection_id_size
    if end > size:
        raise _bare.runs_past_end("Init.connection_id", connection_id_size, at, size)
    try:
        connection_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("Init.connection_id", at, error) from None
    at = end
    return Init(actor_id, connection_id), at


def _write_init_tag_0(out: list[bytes], message: Init) -> None:
    actor_id = message.actor_id
    if type(actor_id) is not str:
        actor_id = _bare.text(actor_id, "Init.actor_id")
    try:
        actor_id_bytes = actor_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("Init.actor_id", error) from None
    actor_id_size = len(actor_id_bytes)
    connection_id = message.connection_id
    if type(connection_id) is not str:
        connection_id = _bare.text(connection_id, "Init.connection_id")
    try:
        connection_id_bytes = connection_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("Init.connection_id", error) from None
    connection_id_size = len(connection_id_bytes)
    out += (
        b"\x00",
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        _ONE_BYTE[connection_id_size] if connection_id_size < 128 else _bare.long_uint(connection_id_size),
        connection_id_bytes,
    )


def _read_error(buf: bytes, at: int, size: int) -> tuple[Error, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("Error.group", 1))
    group_size = buf[at]
    at += 1
    if group_size > 127:
        group_size, at = _bare.read_long_uint(buf, at - 1, size, "Error.group")
    end = at + group_size
    if end > size:
        raise _bare.runs_past_end("Error.group", group_size, at, size)
    try:
        group = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("Error.group", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("Error.code", 1))
    code_size = buf[at]
    at += 1
    if code_size > 127:
        code_size, at = _bare.read_long_uint(buf, at - 1, size, "Error.code")
    end = at + code_size
    if end > size:
        raise _bare.runs_past_end("Error.code", code_size, at, size)
    try:
        code = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("Error.code", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("Error.message", 1))
    message_size = buf[at]
    at += 1
    if message_size > 127:
        message_size, at = _bare.read_long_uint(buf, at - 1, size, "Error.message")
    end = at + message_size
    if end > size:
        raise _bare.runs_past_end("Error.message", message_size, at, size)
    try:
        message_2 = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("Error.message", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("Error.metadata", 1))
    metadata_given = buf[at]
    at += 1
    metadata: Cbor | None = None
    if metadata_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("Error.metadata", 1))
        metadata_value_size = buf[at]
        at += 1
        if metadata_value_size > 127:
            metadata_value_size, at = _bare.read_long_uint(buf, at - 1, size, "Error.metadata")
        end = at + metadata_value_size
        if end > size:
            raise _bare.runs_past_end("Error.metadata", metadata_value_size, at, size)
        metadata_value = buf[at:end]
        at = end
        metadata = metadata_value
    elif metadata_given:
        raise _bare.bad_bool("Error.metadata", metadata_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("Error.action_id", 1))
    action_id_given = buf[at]
    at += 1
    action_id: ActionId | None = None
    if action_id_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("Error.action_id", 1))
        action_id_value = buf[at]
        at += 1
        if action_id_value > 127:
            action_id_value, at = _bare.read_long_uint(buf, at - 1, size, "Error.action_id")
        action_id = action_id_value
    elif action_id_given:
        raise _bare.bad_bool("Error.action_id", action_id_given, at - 1)
    return Error(group, code, message_2, metadata, action_id), at


def _write_error_tag_1(out: list[bytes], message: Error) -> None:
    group = message.group
    if type(group) is not str:
        group = _bare.text(group, "Error.group")
    try:
        group_bytes = group.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("Error.group", error) from None
    group_size = len(group_bytes)
    code = message.code
    if type(code) is not str:
        code = _bare.text(code, "Error.code")
    try:
        code_bytes = code.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("Error.code", error) from None
    code_size = len(code_bytes)
    message_2 = message.message
    if type(message_2) is not str:
        message_2 = _bare.text(message_2, "Error.message")
    try:
        message_2_bytes = message_2.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("Error.message", error) from None
    message_2_size = len(message_2_bytes)
    metadata = message.metadata
    out += (
        b"\x01",
        _ONE_BYTE[group_size] if group_size < 128 else _bare.long_uint(group_size),
        group_bytes,
        _ONE_BYTE[code_size] if code_size < 128 else _bare.long_uint(code_size),
        code_bytes,
        _ONE_BYTE[message_2_size] if message_2_size < 128 else _bare.long_uint(message_2_size),
        message_2_bytes,
    )
    if metadata is None:
        out.append(b"\x00")
    else:
        if type(metadata) is not bytes:
            metadata = _bare.data(metadata, "Error.metadata")
        metadata_size = len(metadata)
        out += (
            b"\x01",
            _ONE_BYTE[metadata_size] if metadata_size < 128 else _bare.long_uint(metadata_size),
            metadata,
        )
    action_id = message.action_id
    if action_id is None:
        out.append(b"\x00")
    else:
        if type(action_id) is not int:
            action_id = _bare.integer(action_id, "Error.action_id", "uint")
        out += (
            b"\x01",
            _ONE_BYTE[action_id] if 0 <= action_id < 128 else _bare.write_uint(action_id, "Error.action_id"),
        )


def _read_http_response_error(buf: bytes, at: int, size: int) -> tuple[HttpResponseError, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("HttpResponseError.group", 1))
    group_size = buf[at]
    at += 1
    if group_size > 127:
        group_size, at = _bare.read_long_uint(buf, at - 1, size, "HttpResponseError.group")
    end = at + group_size
    if end > size:
        raise _bare.runs_past_end("HttpResponseError.group", group_size, at, size)
    try:
        group = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("HttpResponseError.group", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("HttpResponseError.code", 1))
    code_size = buf[at]
    at += 1
    if code_size > 127:
        code_size, at = _bare.read_long_uint(buf, at - 1, size, "HttpResponseError.code")
    end = at + code_size
    if end > size:
        raise _bare.runs_past_end("HttpResponseError.code", code_size, at, size)
    try:
        code = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("HttpResponseError.code", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("HttpResponseError.message", 1))
    message_size = buf[at]
    at += 1
    if message_size > 127:
        message_size, at = _bare.read_long_uint(buf, at - 1, size, "HttpResponseError.message")
    end = at + message_size
    if end > size:
        raise _bare.runs_past_end("HttpResponseError.message", message_size, at, size)
    try:
        message_2 = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("HttpResponseError.message", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("HttpResponseError.metadata", 1))
    metadata_given = buf[at]
    at += 1
    metadata: Cbor | None = None
    if metadata_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("HttpResponseError.metadata", 1))
        metadata_value_size = buf[at]
        at += 1
        if metadata_value_size > 127:
            metadata_value_size, at = _bare.read_long_uint(buf, at - 1, size, "HttpResponseError.metadata")
        end = at + metadata_value_size
        if end > size:
            raise _bare.runs_past_end("HttpResponseError.metadata", metadata_value_size, at, size)
        metadata_value = buf[at:end]
        at = end
        metadata = metadata_value
    elif metadata_given:
        raise _bare.bad_bool("HttpResponseError.metadata", metadata_given, at - 1)
    return HttpResponseError(group, code, message_2, metadata), at


def _write_http_response_error(out: list[bytes], message: HttpResponseError) -> None:
    group = message.group
    if type(group) is not str:
        group = _bare.text(group, "HttpResponseError.group")
    try:
        group_bytes = group.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("HttpResponseError.group", error) from None
    group_size = len(group_bytes)
    code = message.code
    if type(code) is not str:
        code = _bare.text(code, "HttpResponseError.code")
    try:
        code_bytes = code.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("HttpResponseError.code", error) from None
    code_size = len(code_bytes)
    message_2 = message.message
    if type(message_2) is not str:
        message_2 = _bare.text(message_2, "HttpResponseError.message")
    try:
        message_2_bytes = message_2.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("HttpResponseError.message", error) from None
    message_2_size = len(message_2_bytes)
    metadata = message.metadata
    out += (
        _ONE_BYTE[group_size] if group_size < 128 else _bare.long_uint(group_size),
        group_bytes,
        _ONE_BYTE[code_size] if code_size < 128 else _bare.long_uint(code_size),
        code_bytes,
        _ONE_BYTE[message_2_size] if message_2_size < 128 else _bare.long_uint(message_2_size),
        message_2_bytes,
    )
    if metadata is None:
        out.append(b"\x00")
    else:
        if type(metadata) is not bytes:
            metadata = _bare.data(metadata, "HttpResponseError.metadata")
        metadata_size = len(metadata)
        out += (
            b"\x01",
            _ONE_BYTE[metadata_size] if metadata_size < 128 else _bare.long_uint(metadata_size),
            metadata,
        )


_TO_CLIENT_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ToClient, int]], ...]] = (
    _read_init,
    _read_error,
    read_action_response,
    read_event,
)


_TO_CLIENT_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    Init: _write_init_tag_0,
    Error: _write_error_tag_1,
    ActionResponse: write_action_response_tag_2,
    Event: write_event_tag_3,
}


def encode_to_server(message: ToServer) -> bytes:
    """Encode one message; raises ``TypeError`` or ``ValueError`` that names the field."""
    out: list[bytes] = []
    try:
        write = TO_SERVER_WRITERS[type(message)]
    except KeyError:
        raise _bare.wrong_type("ToServer", "a member of ToServer", message) from None
    write(out, message)
    return b"".join(out)


def decode_to_server(buf: bytes | bytearray | memoryview) -> ToServer:
    """Decode exactly one message; raises ``DecodeError`` for anything else."""
    if type(buf) is not bytes:
        buf = _bare.as_bytes(buf)
    at = 0
    size = len(buf)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServer", 1))
    value_tag = buf[at]
    at += 1
    try:
        read_value = TO_SERVER_READERS[value_tag]
    except LookupError:
        raise _bare.unknown_value("ToServer", "ToServer", value_tag, at - 1) from None
    value, at = read_value(buf, at, size)
    if at != size:
        raise _bare.left_over("ToServer", at, size)
    return value


def encode_http_action_request(message: HttpActionRequest) -> bytes:
    """Encode one message; raises ``TypeError`` or ``ValueError`` that names the field."""
    out: list[bytes] = []
    if type(message) is not HttpActionRequest:
        raise _bare.wrong_type("HttpActionRequest", "HttpActionRequest", message)
    write_http_action_request(out, message)
    return b"".join(out)


def decode_http_action_request(buf: bytes | bytearray | memoryview) -> HttpActionRequest:
    """Decode exactly one message; raises ``DecodeError`` for anything else."""
    if type(buf) is not bytes:
        buf = _bare.as_bytes(buf)
    at = 0
    size = len(buf)
    value, at = read_http_action_request(buf, at, size)
    if at != size:
        raise _bare.left_over("HttpActionRequest", at, size)
    return value


def encode_http_action_response(message: HttpActionResponse) -> bytes:
    """Encode one message; raises ``TypeError`` or ``ValueError`` that names the field."""
    out: list[bytes] = []
    if type(message) is not HttpActionResponse:
        raise _bare.wrong_type("HttpActionResponse", "HttpActionResponse", message)
    write_http_action_response(out, message)
    return b"".join(out)


def decode_http_action_response(buf: bytes | bytearray | memoryview) -> HttpActionResponse:
    """Decode exactly one message; raises ``DecodeError`` for anything else."""
    if type(buf) is not bytes:
        buf = _bare.as_bytes(buf)
    at = 0
    size = len(buf)
    value, at = read_http_action_response(buf, at, size)
    if at != size:
        raise _bare.left_over("HttpActionResponse", at, size)
    return value


def encode_to_client(message: ToClient) -> bytes:
    """Encode one message; raises ``TypeError`` or ``ValueError`` that names the field."""
    out: list[bytes] = []
    try:
        write = _TO_CLIENT_WRITERS[type(message)]
    except KeyError:
        raise _bare.wrong_type("ToClient", "a member of ToClient", message) from None
    write(out, message)
    return b"".join(out)


def decode_to_client(buf: bytes | bytearray | memoryview) -> ToClient:
    """Decode exactly one message; raises ``DecodeError`` for anything else."""
    if type(buf) is not bytes:
        buf = _bare.as_bytes(buf)
    at = 0
    size = len(buf)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClient", 1))
    value_tag = buf[at]
    at += 1
    try:
        read_value = _TO_CLIENT_READERS[value_tag]
    except LookupError:
        raise _bare.unknown_value("ToClient", "ToClient", value_tag, at - 1) from None
    value, at = read_value(buf, at, size)
    if at != size:
        raise _bare.left_over("ToClient", at, size)
    return value


def encode_http_response_error(message: HttpResponseError) -> bytes:
    """Encode one message; raises ``TypeError`` or ``ValueError`` that names the field."""
    out: list[bytes] = []
    if type(message) is not HttpResponseError:
        raise _bare.wrong_type("HttpResponseError", "HttpResponseError", message)
    _write_http_response_error(out, message)
    return b"".join(out)


def decode_http_response_error(buf: bytes | bytearray | memoryview) -> HttpResponseError:
    """Decode exactly one message; raises ``DecodeError`` for anything else."""
    if type(buf) is not bytes:
        buf = _bare.as_bytes(buf)
    at = 0
    size = len(buf)
    value, at = _read_http_response_error(buf, at, size)
    if at != size:
        raise _bare.left_over("HttpResponseError", at, size)
    return value
