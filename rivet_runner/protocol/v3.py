# This file is generated from protocol/common.bare and protocol/v3.bare by protocol/generate.py: change the schema, and generate again.
# mypy: no-warn-unreachable
# ruff: noqa: E501
"""The messages of runner protocol 3 as frozen Structs, and the functions that encode and decode them.

``encode_*`` raises a ``TypeError`` or ``ValueError`` that names the field. ``decode_*`` takes any bytes-like
object and raises ``DecodeError`` for anything but exactly one message; it makes a ``list`` of a list, and a
``dict`` of a map in the order of the bytes. A type without contents is a Struct without fields, and a message
that is a list is a Struct with the one field ``items``.
"""

from __future__ import annotations

import collections.abc
import struct
import typing

import msgspec

from rivet_runner.protocol import _bare
from rivet_runner.protocol._shared import (
    ACTOR_INTENT_READERS,
    ACTOR_INTENT_WRITERS,
    ACTOR_STATE_READERS,
    ACTOR_STATE_WRITERS,
    read_actor_config,
    read_actor_name,
    read_kv_delete_request,
    read_kv_delete_response,
    read_kv_drop_request,
    read_kv_drop_response,
    read_kv_error_response,
    read_kv_get_request,
    read_kv_list_request,
    read_kv_put_request,
    read_kv_put_response,
    read_to_client_request_abort,
    read_to_client_request_chunk,
    read_to_client_request_start,
    read_to_client_web_socket_close,
    read_to_client_web_socket_message,
    read_to_client_web_socket_open,
    read_to_server_response_abort,
    read_to_server_response_chunk,
    read_to_server_response_start,
    read_to_server_stopping,
    read_to_server_web_socket_close,
    read_to_server_web_socket_message,
    read_to_server_web_socket_message_ack,
    read_to_server_web_socket_open,
    write_actor_config,
    write_actor_name,
    write_kv_delete_request,
    write_kv_delete_response,
    write_kv_drop_request,
    write_kv_drop_response,
    write_kv_error_response,
    write_kv_get_request,
    write_kv_list_request,
    write_kv_put_request,
    write_kv_put_response,
    write_to_client_request_abort,
    write_to_client_request_chunk,
    write_to_client_request_start,
    write_to_client_web_socket_close,
    write_to_client_web_socket_message,
    write_to_client_web_socket_open,
    write_to_server_response_abort,
    write_to_server_response_chunk,
    write_to_server_response_start,
    write_to_server_stopping_tag_3,
    write_to_server_web_socket_close,
    write_to_server_web_socket_message,
    write_to_server_web_socket_message_ack,
    write_to_server_web_socket_open,
)
from rivet_runner.protocol.messages import (
    ActorConfig,
    ActorIntent,
    ActorIntentSleep,
    ActorIntentStop,
    ActorName,
    ActorState,
    ActorStateRunning,
    ActorStateStopped,
    DeprecatedTunnelAck,
    GatewayId,
    HibernatingRequest,
    Id,
    Json,
    KvDeleteRequest,
    KvDeleteResponse,
    KvDropRequest,
    KvDropResponse,
    KvErrorResponse,
    KvGetRequest,
    KvListAllQuery,
    KvListPrefixQuery,
    KvListQuery,
    KvListRangeQuery,
    KvListRequest,
    KvPutRequest,
    KvPutResponse,
    MessageId,
    MessageIndex,
    RequestId,
    StopCode,
    ToClientClose,
    ToClientRequestAbort,
    ToClientRequestChunk,
    ToClientRequestStart,
    ToClientTunnelMessage,
    ToClientTunnelMessageKind,
    ToClientWebSocketClose,
    ToClientWebSocketMessage,
    ToClientWebSocketOpen,
    ToServerKvRequest,
    ToServerPing,
    ToServerResponseAbort,
    ToServerResponseChunk,
    ToServerResponseStart,
    ToServerStopping,
    ToServerTunnelMessage,
    ToServerTunnelMessageKind,
    ToServerWebSocketClose,
    ToServerWebSocketMessage,
    ToServerWebSocketMessageAck,
    ToServerWebSocketOpen,
)

__all__ = [
    "ActorConfig",
    "ActorIntent",
    "ActorIntentSleep",
    "ActorIntentStop",
    "ActorName",
    "ActorState",
    "ActorStateRunning",
    "ActorStateStopped",
    "Command",
    "CommandStartActor",
    "CommandStopActor",
    "CommandWrapper",
    "DeprecatedTunnelAck",
    "Event",
    "EventActorIntent",
    "EventActorSetAlarm",
    "EventActorStateUpdate",
    "EventWrapper",
    "GatewayId",
    "HibernatingRequest",
    "Id",
    "Json",
    "KvDeleteRequest",
    "KvDeleteResponse",
    "KvDropRequest",
    "KvDropResponse",
    "KvErrorResponse",
    "KvGetRequest",
    "KvGetResponse",
    "KvListAllQuery",
    "KvListPrefixQuery",
    "KvListQuery",
    "KvListRangeQuery",
    "KvListRequest",
    "KvListResponse",
    "KvMetadata",
    "KvPutRequest",
    "KvPutResponse",
    "KvRequestData",
    "KvResponseData",
    "MessageId",
    "MessageIndex",
    "ProtocolMetadata",
    "RequestId",
    "StopCode",
    "ToClient",
    "ToClientAckEvents",
    "ToClientClose",
    "ToClientCommands",
    "ToClientInit",
    "ToClientKvResponse",
    "ToClientRequestAbort",
    "ToClientRequestChunk",
    "ToClientRequestStart",
    "ToClientTunnelMessage",
    "ToClientTunnelMessageKind",
    "ToClientWebSocketClose",
    "ToClientWebSocketMessage",
    "ToClientWebSocketOpen",
    "ToServer",
    "ToServerAckCommands",
    "ToServerEvents",
    "ToServerInit",
    "ToServerKvRequest",
    "ToServerPing",
    "ToServerResponseAbort",
    "ToServerResponseChunk",
    "ToServerResponseStart",
    "ToServerStopping",
    "ToServerTunnelMessage",
    "ToServerTunnelMessageKind",
    "ToServerWebSocketClose",
    "ToServerWebSocketMessage",
    "ToServerWebSocketMessageAck",
    "ToServerWebSocketOpen",
    "ToServerlessServer",
    "ToServerlessServerInit",
    "decode_to_client",
    "decode_to_server",
    "decode_to_serverless_server",
    "encode_to_client",
    "encode_to_server",
    "encode_to_serverless_server",
]


class KvGetResponse(msgspec.Struct, frozen=True, gc=False):
    """The entries that exist: keys[n], values[n] and metadata[n] belong together."""

    keys: collections.abc.Sequence[bytes]
    values: collections.abc.Sequence[bytes]
    metadata: collections.abc.Sequence[KvMetadata]


class KvListResponse(msgspec.Struct, frozen=True, gc=False):
    """The entries in the order asked for: keys[n], values[n] and metadata[n] belong together."""

    keys: collections.abc.Sequence[bytes]
    values: collections.abc.Sequence[bytes]
    metadata: collections.abc.Sequence[KvMetadata]


class ToServerEvents(msgspec.Struct, frozen=True, gc=False):
    """Events, in the order of their indexes."""

    items: collections.abc.Sequence[EventWrapper]


class ToClientCommands(msgspec.Struct, frozen=True, gc=False):
    """Commands, in the order of their indexes."""

    items: collections.abc.Sequence[CommandWrapper]


class ToClientKvResponse(msgspec.Struct, frozen=True, gc=False):
    """The answer to a ToServerKvRequest."""

    # That of the request.
    request_id: int
    data: KvResponseData


class KvMetadata(msgspec.Struct, frozen=True, gc=False):
    """The metadata of one entry."""

    version: bytes
    # Milliseconds since the epoch.
    create_ts: int


class EventActorIntent(msgspec.Struct, frozen=True, gc=False):
    """An actor wants to sleep or stop; the engine answers with a command."""

    actor_id: Id
    generation: int
    intent: ActorIntent


class EventActorStateUpdate(msgspec.Struct, frozen=True, gc=False):
    """An actor started or stopped."""

    actor_id: Id
    generation: int
    state: ActorState


class EventActorSetAlarm(msgspec.Struct, frozen=True, gc=False):
    """The alarm at which the engine is to wake the actor."""

    actor_id: Id
    generation: int
    # Milliseconds since the epoch; none clears the alarm.
    alarm_ts: int | None


class EventWrapper(msgspec.Struct, frozen=True, gc=False):
    """An event and its place in the runner's one sequence of events, which starts at 0."""

    index: int
    inner: Event


class CommandStartActor(msgspec.Struct, frozen=True, gc=False):
    """Start this generation of an actor."""

    actor_id: Id
    generation: int
    config: ActorConfig
    # The actor's WebSockets to take up again.
    hibernating_requests: collections.abc.Sequence[HibernatingRequest]


class CommandStopActor(msgspec.Struct, frozen=True, gc=False):
    """Stop this generation of an actor."""

    actor_id: Id
    generation: int


class CommandWrapper(msgspec.Struct, frozen=True, gc=False):
    """A command and its place in the engine's sequence for this runner."""

    index: int
    inner: Command


class ToServerInit(msgspec.Struct, frozen=True, gc=False):
    """The first message on every connection."""

    name: str
    version: int
    total_slots: int
    # The last command that was carried out, on a reconnect.
    last_command_idx: int | None
    prepopulate_actor_names: collections.abc.Mapping[str, ActorName] | None
    metadata: Json | None


class ToServerAckCommands(msgspec.Struct, frozen=True, gc=False):
    """Commands up to this index are carried out."""

    last_command_idx: int


class ProtocolMetadata(msgspec.Struct, frozen=True, gc=False):
    """The engine's settings that matter to a runner."""

    # Milliseconds without a connection after which the engine gives the runner's actors up.
    runner_lost_threshold: int


class ToClientInit(msgspec.Struct, frozen=True, gc=False):
    """The answer to ToServerInit."""

    runner_id: Id
    # The last event that the engine has stored.
    last_event_idx: int
    metadata: ProtocolMetadata


class ToClientAckEvents(msgspec.Struct, frozen=True, gc=False):
    """Events up to this index are stored and need not be sent again."""

    last_event_idx: int


class ToServerlessServerInit(msgspec.Struct, frozen=True, gc=False):
    """Tells the engine which runner answers its server-sent-events request."""

    runner_id: Id


# An answer of the key-value store.
KvResponseData: typing.TypeAlias = (
    KvErrorResponse
    | KvGetResponse
    | KvListResponse
    | KvPutResponse
    | KvDeleteResponse
    | KvDropResponse
)

# An event in the life of an actor.
Event: typing.TypeAlias = EventActorIntent | EventActorStateUpdate | EventActorSetAlarm

# An order of the engine for an actor.
Command: typing.TypeAlias = CommandStartActor | CommandStopActor

# The answer of a serverless runner on the engine's server-sent-events request: base64 of a little-endian u16 protocol version,
# then this.
ToServerlessServer: typing.TypeAlias = ToServerlessServerInit

# A request to the key-value store.
KvRequestData: typing.TypeAlias = (
    KvGetRequest
    | KvListRequest
    | KvPutRequest
    | KvDeleteRequest
    | KvDropRequest
)

# Everything that a runner sends.
ToServer: typing.TypeAlias = (
    ToServerInit
    | ToServerEvents
    | ToServerAckCommands
    | ToServerStopping
    | ToServerPing
    | ToServerKvRequest
    | ToServerTunnelMessage
)

# Everything that the engine sends.
ToClient: typing.TypeAlias = (
    ToClientInit
    | ToClientClose
    | ToClientCommands
    | ToClientAckEvents
    | ToClientKvResponse
    | ToClientTunnelMessage
)


_ONE_BYTE: typing.Final = _bare.ONE_BYTE
_UNPACK_FROM_4s4s: typing.Final = struct.Struct("<4s4s").unpack_from
_UNPACK_FROM_4s4sHB: typing.Final = struct.Struct("<4s4sHB").unpack_from
_UNPACK_FROM_I: typing.Final = struct.Struct("<I").unpack_from
_UNPACK_FROM_IB: typing.Final = struct.Struct("<IB").unpack_from
_UNPACK_FROM_IIB: typing.Final = struct.Struct("<IIB").unpack_from
_UNPACK_FROM_q: typing.Final = struct.Struct("<q").unpack_from
_UNPACK_FROM_qB: typing.Final = struct.Struct("<qB").unpack_from
_UNPACK_FROM_qq: typing.Final = struct.Struct("<qq").unpack_from
_PACK_4s4s: typing.Final = struct.Struct("<4s4s").pack
_PACK_B4s4sHB: typing.Final = struct.Struct("<B4s4sHB").pack
_PACK_BIB: typing.Final = struct.Struct("<BIB").pack
_PACK_Bq: typing.Final = struct.Struct("<Bq").pack
_PACK_I: typing.Final = struct.Struct("<I").pack
_PACK_IB: typing.Final = struct.Struct("<IB").pack
_PACK_II: typing.Final = struct.Struct("<II").pack
_PACK_q: typing.Final = struct.Struct("<q").pack
_PACK_qB: typing.Final = struct.Struct("<qB").pack
_PACK_qq: typing.Final = struct.Struct("<qq").pack
_DEPRECATED_TUNNEL_ACK_VALUE: typing.Final = DeprecatedTunnelAck()
_TO_CLIENT_CLOSE_VALUE: typing.Final = ToClientClose()


def _read_kv_get_response(buf: bytes, at: int, size: int) -> tuple[KvGetResponse, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvGetResponse.keys", 1))
    keys_count = buf[at]
    at += 1
    if keys_count > 127:
        keys_count, at = _bare.read_long_uint(buf, at - 1, size, "KvGetResponse.keys")
    if keys_count > size - at:
        raise _bare.list_runs_past_end("KvGetResponse.keys", keys_count, 1, at, size)
    keys: list[bytes] = []
    for _ in range(keys_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"KvGetResponse.keys[{len(keys)}]", 1))
        keys_item_size = buf[at]
        at += 1
        if keys_item_size > 127:
            keys_item_size, at = _bare.read_long_uint(buf, at - 1, size, f"KvGetResponse.keys[{len(keys)}]")
        end = at + keys_item_size
        if end > size:
            raise _bare.runs_past_end(f"KvGetResponse.keys[{len(keys)}]", keys_item_size, at, size)
        keys_item = buf[at:end]
        at = end
        keys.append(keys_item)
    if at >= size:
        raise _bare.ends_early(at, size, ("KvGetResponse.values", 1))
    values_count = buf[at]
    at += 1
    if values_count > 127:
        values_count, at = _bare.read_long_uint(buf, at - 1, size, "KvGetResponse.values")
    if values_count > size - at:
        raise _bare.list_runs_past_end("KvGetResponse.values", values_count, 1, at, size)
    values: list[bytes] = []
    for _ in range(values_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"KvGetResponse.values[{len(values)}]", 1))
        values_item_size = buf[at]
        at += 1
        if values_item_size > 127:
            values_item_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"KvGetResponse.values[{len(values)}]",
            )
        end = at + values_item_size
        if end > size:
            raise _bare.runs_past_end(f"KvGetResponse.values[{len(values)}]", values_item_size, at, size)
        values_item = buf[at:end]
        at = end
        values.append(values_item)
    if at >= size:
        raise _bare.ends_early(at, size, ("KvGetResponse.metadata", 1))
    metadata_count = buf[at]
    at += 1
    if metadata_count > 127:
        metadata_count, at = _bare.read_long_uint(buf, at - 1, size, "KvGetResponse.metadata")
    if metadata_count * 9 > size - at:
        raise _bare.list_runs_past_end("KvGetResponse.metadata", metadata_count, 9, at, size)
    metadata: list[KvMetadata] = []
    for _ in range(metadata_count):
        metadata_item, at = _read_kv_metadata(buf, at, size)
        metadata.append(metadata_item)
    return KvGetResponse(keys, values, metadata), at


def _write_kv_get_response(out: list[bytes], message: KvGetResponse) -> None:
    keys = message.keys
    if type(keys) is not list and type(keys) is not tuple:
        keys = _bare.sequence(keys, "KvGetResponse.keys")
    keys_count = len(keys)
    out.append(_ONE_BYTE[keys_count] if keys_count < 128 else _bare.long_uint(keys_count))
    for keys_index, keys_item in enumerate(keys):
        if type(keys_item) is not bytes:
            keys_item = _bare.data(keys_item, f"KvGetResponse.keys[{keys_index}]")
        keys_item_size = len(keys_item)
        out += (
            _ONE_BYTE[keys_item_size] if keys_item_size < 128 else _bare.long_uint(keys_item_size),
            keys_item,
        )
    values = message.values
    if type(values) is not list and type(values) is not tuple:
        values = _bare.sequence(values, "KvGetResponse.values")
    values_count = len(values)
    out.append(_ONE_BYTE[values_count] if values_count < 128 else _bare.long_uint(values_count))
    for values_index, values_item in enumerate(values):
        if type(values_item) is not bytes:
            values_item = _bare.data(values_item, f"KvGetResponse.values[{values_index}]")
        values_item_size = len(values_item)
        out += (
            _ONE_BYTE[values_item_size] if values_item_size < 128 else _bare.long_uint(values_item_size),
            values_item,
        )
    metadata = message.metadata
    if type(metadata) is not list and type(metadata) is not tuple:
        metadata = _bare.sequence(metadata, "KvGetResponse.metadata")
    metadata_count = len(metadata)
    out.append(_ONE_BYTE[metadata_count] if metadata_count < 128 else _bare.long_uint(metadata_count))
    for metadata_index, metadata_item in enumerate(metadata):
        if type(metadata_item) is not KvMetadata:
            raise _bare.wrong_type(f"KvGetResponse.metadata[{metadata_index}]", "KvMetadata", metadata_item)
        _write_kv_metadata(out, metadata_item)


def _read_kv_list_response(buf: bytes, at: int, size: int) -> tuple[KvListResponse, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListResponse.keys", 1))
    keys_count = buf[at]
    at += 1
    if keys_count > 127:
        keys_count, at = _bare.read_long_uint(buf, at - 1, size, "KvListResponse.keys")
    if keys_count > size - at:
        raise _bare.list_runs_past_end("KvListResponse.keys", keys_count, 1, at, size)
    keys: list[bytes] = []
    for _ in range(keys_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"KvListResponse.keys[{len(keys)}]", 1))
        keys_item_size = buf[at]
        at += 1
        if keys_item_size > 127:
            keys_item_size, at = _bare.read_long_uint(buf, at - 1, size, f"KvListResponse.keys[{len(keys)}]")
        end = at + keys_item_size
        if end > size:
            raise _bare.runs_past_end(f"KvListResponse.keys[{len(keys)}]", keys_item_size, at, size)
        keys_item = buf[at:end]
        at = end
        keys.append(keys_item)
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListResponse.values", 1))
    values_count = buf[at]
    at += 1
    if values_count > 127:
        values_count, at = _bare.read_long_uint(buf, at - 1, size, "KvListResponse.values")
    if values_count > size - at:
        raise _bare.list_runs_past_end("KvListResponse.values", values_count, 1, at, size)
    values: list[bytes] = []
    for _ in range(values_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"KvListResponse.values[{len(values)}]", 1))
        values_item_size = buf[at]
        at += 1
        if values_item_size > 127:
            values_item_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"KvListResponse.values[{len(values)}]",
            )
        end = at + values_item_size
        if end > size:
            raise _bare.runs_past_end(f"KvListResponse.values[{len(values)}]", values_item_size, at, size)
        values_item = buf[at:end]
        at = end
        values.append(values_item)
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListResponse.metadata", 1))
    metadata_count = buf[at]
    at += 1
    if metadata_count > 127:
        metadata_count, at = _bare.read_long_uint(buf, at - 1, size, "KvListResponse.metadata")
    if metadata_count * 9 > size - at:
        raise _bare.list_runs_past_end("KvListResponse.metadata", metadata_count, 9, at, size)
    metadata: list[KvMetadata] = []
    for _ in range(metadata_count):
        metadata_item, at = _read_kv_metadata(buf, at, size)
        metadata.append(metadata_item)
    return KvListResponse(keys, values, metadata), at


def _write_kv_list_response(out: list[bytes], message: KvListResponse) -> None:
    keys = message.keys
    if type(keys) is not list and type(keys) is not tuple:
        keys = _bare.sequence(keys, "KvListResponse.keys")
    keys_count = len(keys)
    out.append(_ONE_BYTE[keys_count] if keys_count < 128 else _bare.long_uint(keys_count))
    for keys_index, keys_item in enumerate(keys):
        if type(keys_item) is not bytes:
            keys_item = _bare.data(keys_item, f"KvListResponse.keys[{keys_index}]")
        keys_item_size = len(keys_item)
        out += (
            _ONE_BYTE[keys_item_size] if keys_item_size < 128 else _bare.long_uint(keys_item_size),
            keys_item,
        )
    values = message.values
    if type(values) is not list and type(values) is not tuple:
        values = _bare.sequence(values, "KvListResponse.values")
    values_count = len(values)
    out.append(_ONE_BYTE[values_count] if values_count < 128 else _bare.long_uint(values_count))
    for values_index, values_item in enumerate(values):
        if type(values_item) is not bytes:
            values_item = _bare.data(values_item, f"KvListResponse.values[{values_index}]")
        values_item_size = len(values_item)
        out += (
            _ONE_BYTE[values_item_size] if values_item_size < 128 else _bare.long_uint(values_item_size),
            values_item,
        )
    metadata = message.metadata
    if type(metadata) is not list and type(metadata) is not tuple:
        metadata = _bare.sequence(metadata, "KvListResponse.metadata")
    metadata_count = len(metadata)
    out.append(_ONE_BYTE[metadata_count] if metadata_count < 128 else _bare.long_uint(metadata_count))
    for metadata_index, metadata_item in enumerate(metadata):
        if type(metadata_item) is not KvMetadata:
            raise _bare.wrong_type(f"KvListResponse.metadata[{metadata_index}]", "KvMetadata", metadata_item)
        _write_kv_metadata(out, metadata_item)


def _read_to_server_tunnel_message(buf: bytes, at: int, size: int) -> tuple[ToServerTunnelMessage, int]:
    if at + 11 > size:
        raise _bare.ends_early(
            at,
            size,
            ("MessageId.gateway_id", 4),
            ("MessageId.request_id", 4),
            ("MessageId.message_index", 2),
            ("ToServerTunnelMessage.message_kind", 1),
        )
    message_id_gateway_id, message_id_request_id, message_id_message_index, message_kind_tag = _UNPACK_FROM_4s4sHB(buf, at)
    at += 11
    try:
        read_message_kind = _TO_SERVER_TUNNEL_MESSAGE_KIND_READERS[message_kind_tag]
    except LookupError:
        raise _bare.unknown_value(
            "ToServerTunnelMessage.message_kind",
            "ToServerTunnelMessageKind",
            message_kind_tag,
            at - 1,
        ) from None
    message_kind, at = read_message_kind(buf, at, size)
    return ToServerTunnelMessage(
        MessageId(message_id_gateway_id, message_id_request_id, message_id_message_index),
        message_kind,
    ), at


def _write_to_server_tunnel_message_tag_6(out: list[bytes], message: ToServerTunnelMessage) -> None:
    message_id = message.message_id
    if type(message_id) is not MessageId:
        raise _bare.wrong_type("ToServerTunnelMessage.message_id", "MessageId", message_id)
    message_id_gateway_id = message_id.gateway_id
    if type(message_id_gateway_id) is not bytes or len(message_id_gateway_id) != 4:
        message_id_gateway_id = _bare.fixed_data(message_id_gateway_id, 4, "MessageId.gateway_id")
    message_id_request_id = message_id.request_id
    if type(message_id_request_id) is not bytes or len(message_id_request_id) != 4:
        message_id_request_id = _bare.fixed_data(message_id_request_id, 4, "MessageId.request_id")
    message_id_message_index = message_id.message_index
    if type(message_id_message_index) is not int:
        message_id_message_index = _bare.integer(message_id_message_index, "MessageId.message_index", "u16")
    message_kind = message.message_kind
    try:
        message_kind_tag, write_message_kind = _TO_SERVER_TUNNEL_MESSAGE_KIND_WRITERS[type(message_kind)]
    except KeyError:
        raise _bare.wrong_type("ToServerTunnelMessage.message_kind", "a member of ToServerTunnelMessageKind", message_kind) from None
    try:
        packed = _PACK_B4s4sHB(
            6,
            message_id_gateway_id,
            message_id_request_id,
            message_id_message_index,
            message_kind_tag,
        )
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("MessageId.message_index", "u16", message_id_message_index)) from None
    out.append(packed)
    write_message_kind(out, message_kind)


def _read_to_client_tunnel_message(buf: bytes, at: int, size: int) -> tuple[ToClientTunnelMessage, int]:
    if at + 11 > size:
        raise _bare.ends_early(
            at,
            size,
            ("MessageId.gateway_id", 4),
            ("MessageId.request_id", 4),
            ("MessageId.message_index", 2),
            ("ToClientTunnelMessage.message_kind", 1),
        )
    message_id_gateway_id, message_id_request_id, message_id_message_index, message_kind_tag = _UNPACK_FROM_4s4sHB(buf, at)
    at += 11
    try:
        read_message_kind = _TO_CLIENT_TUNNEL_MESSAGE_KIND_READERS[message_kind_tag]
    except LookupError:
        raise _bare.unknown_value(
            "ToClientTunnelMessage.message_kind",
            "ToClientTunnelMessageKind",
            message_kind_tag,
            at - 1,
        ) from None
    message_kind, at = read_message_kind(buf, at, size)
    return ToClientTunnelMessage(
        MessageId(message_id_gateway_id, message_id_request_id, message_id_message_index),
        message_kind,
    ), at


def _write_to_client_tunnel_message_tag_5(out: list[bytes], message: ToClientTunnelMessage) -> None:
    message_id = message.message_id
    if type(message_id) is not MessageId:
        raise _bare.wrong_type("ToClientTunnelMessage.message_id", "MessageId", message_id)
    message_id_gateway_id = message_id.gateway_id
    if type(message_id_gateway_id) is not bytes or len(message_id_gateway_id) != 4:
        message_id_gateway_id = _bare.fixed_data(message_id_gateway_id, 4, "MessageId.gateway_id")
    message_id_request_id = message_id.request_id
    if type(message_id_request_id) is not bytes or len(message_id_request_id) != 4:
        message_id_request_id = _bare.fixed_data(message_id_request_id, 4, "MessageId.request_id")
    message_id_message_index = message_id.message_index
    if type(message_id_message_index) is not int:
        message_id_message_index = _bare.integer(message_id_message_index, "MessageId.message_index", "u16")
    message_kind = message.message_kind
    try:
        message_kind_tag, write_message_kind = _TO_CLIENT_TUNNEL_MESSAGE_KIND_WRITERS[type(message_kind)]
    except KeyError:
        raise _bare.wrong_type("ToClientTunnelMessage.message_kind", "a member of ToClientTunnelMessageKind", message_kind) from None
    try:
        packed = _PACK_B4s4sHB(
            5,
            message_id_gateway_id,
            message_id_request_id,
            message_id_message_index,
            message_kind_tag,
        )
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("MessageId.message_index", "u16", message_id_message_index)) from None
    out.append(packed)
    write_message_kind(out, message_kind)


def _read_to_server_events(buf: bytes, at: int, size: int) -> tuple[ToServerEvents, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerEvents.items", 1))
    items_count = buf[at]
    at += 1
    if items_count > 127:
        items_count, at = _bare.read_long_uint(buf, at - 1, size, "ToServerEvents.items")
    if items_count * 15 > size - at:
        raise _bare.list_runs_past_end("ToServerEvents.items", items_count, 15, at, size)
    items: list[EventWrapper] = []
    for _ in range(items_count):
        items_item, at = _read_event_wrapper(buf, at, size)
        items.append(items_item)
    return ToServerEvents(items), at


def _write_to_server_events_tag_1(out: list[bytes], message: ToServerEvents) -> None:
    items = message.items
    if type(items) is not list and type(items) is not tuple:
        items = _bare.sequence(items, "ToServerEvents.items")
    items_count = len(items)
    out += (b"\x01", _ONE_BYTE[items_count] if items_count < 128 else _bare.long_uint(items_count))
    for items_index, items_item in enumerate(items):
        if type(items_item) is not EventWrapper:
            raise _bare.wrong_type(f"ToServerEvents.items[{items_index}]", "EventWrapper", items_item)
        _write_event_wrapper(out, items_item)


def _read_to_server_kv_request(buf: bytes, at: int, size: int) -> tuple[ToServerKvRequest, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerKvRequest.actor_id", 1))
    actor_id_size = buf[at]
    at += 1
    if actor_id_size > 127:
        actor_id_size, at = _bare.read_long_uint(buf, at - 1, size, "ToServerKvRequest.actor_id")
    end = at + actor_id_size
    if end > size:
        raise _bare.runs_past_end("ToServerKvRequest.actor_id", actor_id_size, at, size)
    try:
        actor_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToServerKvRequest.actor_id", at, error) from None
    at = end
    if at + 5 > size:
        raise _bare.ends_early(at, size, ("ToServerKvRequest.request_id", 4), ("ToServerKvRequest.data", 1))
    request_id, data_tag = _UNPACK_FROM_IB(buf, at)
    at += 5
    try:
        read_data = _KV_REQUEST_DATA_READERS[data_tag]
    except LookupError:
        raise _bare.unknown_value("ToServerKvRequest.data", "KvRequestData", data_tag, at - 1) from None
    data, at = read_data(buf, at, size)
    return ToServerKvRequest(actor_id, request_id, data), at


def _write_to_server_kv_request_tag_5(out: list[bytes], message: ToServerKvRequest) -> None:
    actor_id = message.actor_id
    if type(actor_id) is not str:
        actor_id = _bare.text(actor_id, "ToServerKvRequest.actor_id")
    try:
        actor_id_bytes = actor_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToServerKvRequest.actor_id", error) from None
    actor_id_size = len(actor_id_bytes)
    request_id = message.request_id
    if type(request_id) is not int:
        request_id = _bare.integer(request_id, "ToServerKvRequest.request_id", "u32")
    data = message.data
    try:
        data_tag, write_data = _KV_REQUEST_DATA_WRITERS[type(data)]
    except KeyError:
        raise _bare.wrong_type("ToServerKvRequest.data", "a member of KvRequestData", data) from None
    try:
        packed = _PACK_IB(request_id, data_tag)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ToServerKvRequest.request_id", "u32", request_id)) from None
    out += (
        b"\x05",
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        packed,
    )
    write_data(out, data)


def _read_to_client_commands(buf: bytes, at: int, size: int) -> tuple[ToClientCommands, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientCommands.items", 1))
    items_count = buf[at]
    at += 1
    if items_count > 127:
        items_count, at = _bare.read_long_uint(buf, at - 1, size, "ToClientCommands.items")
    if items_count * 14 > size - at:
        raise _bare.list_runs_past_end("ToClientCommands.items", items_count, 14, at, size)
    items: list[CommandWrapper] = []
    for _ in range(items_count):
        items_item, at = _read_command_wrapper(buf, at, size)
        items.append(items_item)
    return ToClientCommands(items), at


def _write_to_client_commands_tag_2(out: list[bytes], message: ToClientCommands) -> None:
    items = message.items
    if type(items) is not list and type(items) is not tuple:
        items = _bare.sequence(items, "ToClientCommands.items")
    items_count = len(items)
    out += (b"\x02", _ONE_BYTE[items_count] if items_count < 128 else _bare.long_uint(items_count))
    for items_index, items_item in enumerate(items):
        if type(items_item) is not CommandWrapper:
            raise _bare.wrong_type(f"ToClientCommands.items[{items_index}]", "CommandWrapper", items_item)
        _write_command_wrapper(out, items_item)


def _read_to_client_kv_response(buf: bytes, at: int, size: int) -> tuple[ToClientKvResponse, int]:
    if at + 5 > size:
        raise _bare.ends_early(at, size, ("ToClientKvResponse.request_id", 4), ("ToClientKvResponse.data", 1))
    request_id, data_tag = _UNPACK_FROM_IB(buf, at)
    at += 5
    try:
        read_data = _KV_RESPONSE_DATA_READERS[data_tag]
    except LookupError:
        raise _bare.unknown_value("ToClientKvResponse.data", "KvResponseData", data_tag, at - 1) from None
    data, at = read_data(buf, at, size)
    return ToClientKvResponse(request_id, data), at


def _write_to_client_kv_response_tag_4(out: list[bytes], message: ToClientKvResponse) -> None:
    request_id = message.request_id
    if type(request_id) is not int:
        request_id = _bare.integer(request_id, "ToClientKvResponse.request_id", "u32")
    data = message.data
    try:
        data_tag, write_data = _KV_RESPONSE_DATA_WRITERS[type(data)]
    except KeyError:
        raise _bare.wrong_type("ToClientKvResponse.data", "a member of KvResponseData", data) from None
    try:
        packed = _PACK_BIB(4, request_id, data_tag)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ToClientKvResponse.request_id", "u32", request_id)) from None
    out.append(packed)
    write_data(out, data)


def _read_kv_metadata(buf: bytes, at: int, size: int) -> tuple[KvMetadata, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvMetadata.version", 1))
    version_size = buf[at]
    at += 1
    if version_size > 127:
        version_size, at = _bare.read_long_uint(buf, at - 1, size, "KvMetadata.version")
    end = at + version_size
    if end > size:
        raise _bare.runs_past_end("KvMetadata.version", version_size, at, size)
    version = buf[at:end]
    at = end
    if at + 8 > size:
        raise _bare.ends_early(at, size, ("KvMetadata.create_ts", 8))
    (create_ts,) = _UNPACK_FROM_q(buf, at)
    at += 8
    return KvMetadata(version, create_ts), at


def _write_kv_metadata(out: list[bytes], message: KvMetadata) -> None:
    version = message.version
    if type(version) is not bytes:
        version = _bare.data(version, "KvMetadata.version")
    version_size = len(version)
    create_ts = message.create_ts
    if type(create_ts) is not int:
        create_ts = _bare.integer(create_ts, "KvMetadata.create_ts", "i64")
    try:
        packed = _PACK_q(create_ts)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("KvMetadata.create_ts", "i64", create_ts)) from None
    out += (_ONE_BYTE[version_size] if version_size < 128 else _bare.long_uint(version_size), version, packed)


def _read_event_actor_intent(buf: bytes, at: int, size: int) -> tuple[EventActorIntent, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("EventActorIntent.actor_id", 1))
    actor_id_size = buf[at]
    at += 1
    if actor_id_size > 127:
        actor_id_size, at = _bare.read_long_uint(buf, at - 1, size, "EventActorIntent.actor_id")
    end = at + actor_id_size
    if end > size:
        raise _bare.runs_past_end("EventActorIntent.actor_id", actor_id_size, at, size)
    try:
        actor_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("EventActorIntent.actor_id", at, error) from None
    at = end
    if at + 5 > size:
        raise _bare.ends_early(at, size, ("EventActorIntent.generation", 4), ("EventActorIntent.intent", 1))
    generation, intent_tag = _UNPACK_FROM_IB(buf, at)
    at += 5
    try:
        read_intent = ACTOR_INTENT_READERS[intent_tag]
    except LookupError:
        raise _bare.unknown_value("EventActorIntent.intent", "ActorIntent", intent_tag, at - 1) from None
    intent, at = read_intent(buf, at, size)
    return EventActorIntent(actor_id, generation, intent), at


def _write_event_actor_intent(out: list[bytes], message: EventActorIntent) -> None:
    actor_id = message.actor_id
    if type(actor_id) is not str:
        actor_id = _bare.text(actor_id, "EventActorIntent.actor_id")
    try:
        actor_id_bytes = actor_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("EventActorIntent.actor_id", error) from None
    actor_id_size = len(actor_id_bytes)
    generation = message.generation
    if type(generation) is not int:
        generation = _bare.integer(generation, "EventActorIntent.generation", "u32")
    intent = message.intent
    try:
        intent_tag, write_intent = ACTOR_INTENT_WRITERS[type(intent)]
    except KeyError:
        raise _bare.wrong_type("EventActorIntent.intent", "a member of ActorIntent", intent) from None
    try:
        packed = _PACK_IB(generation, intent_tag)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("EventActorIntent.generation", "u32", generation)) from None
    out += (
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        packed,
    )
    write_intent(out, intent)


def _read_event_actor_state_update(buf: bytes, at: int, size: int) -> tuple[EventActorStateUpdate, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("EventActorStateUpdate.actor_id", 1))
    actor_id_size = buf[at]
    at += 1
    if actor_id_size > 127:
        actor_id_size, at = _bare.read_long_uint(buf, at - 1, size, "EventActorStateUpdate.actor_id")
    end = at + actor_id_size
    if end > size:
        raise _bare.runs_past_end("EventActorStateUpdate.actor_id", actor_id_size, at, size)
    try:
        actor_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("EventActorStateUpdate.actor_id", at, error) from None
    at = end
    if at + 5 > size:
        raise _bare.ends_early(
            at,
            size,
            ("EventActorStateUpdate.generation", 4),
            ("EventActorStateUpdate.state", 1),
        )
    generation, state_tag = _UNPACK_FROM_IB(buf, at)
    at += 5
    try:
        read_state = ACTOR_STATE_READERS[state_tag]
    except LookupError:
        raise _bare.unknown_value("EventActorStateUpdate.state", "ActorState", state_tag, at - 1) from None
    state, at = read_state(buf, at, size)
    return EventActorStateUpdate(actor_id, generation, state), at


def _write_event_actor_state_update(out: list[bytes], message: EventActorStateUpdate) -> None:
    actor_id = message.actor_id
    if type(actor_id) is not str:
        actor_id = _bare.text(actor_id, "EventActorStateUpdate.actor_id")
    try:
        actor_id_bytes = actor_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("EventActorStateUpdate.actor_id", error) from None
    actor_id_size = len(actor_id_bytes)
    generation = message.generation
    if type(generation) is not int:
        generation = _bare.integer(generation, "EventActorStateUpdate.generation", "u32")
    state = message.state
    try:
        state_tag, write_state = ACTOR_STATE_WRITERS[type(state)]
    except KeyError:
        raise _bare.wrong_type("EventActorStateUpdate.state", "a member of ActorState", state) from None
    try:
        packed = _PACK_IB(generation, state_tag)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("EventActorStateUpdate.generation", "u32", generation)) from None
    out += (
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        packed,
    )
    write_state(out, state)


def _read_event_actor_set_alarm(buf: bytes, at: int, size: int) -> tuple[EventActorSetAlarm, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("EventActorSetAlarm.actor_id", 1))
    actor_id_size = buf[at]
    at += 1
    if actor_id_size > 127:
        actor_id_size, at = _bare.read_long_uint(buf, at - 1, size, "EventActorSetAlarm.actor_id")
    end = at + actor_id_size
    if end > size:
        raise _bare.runs_past_end("EventActorSetAlarm.actor_id", actor_id_size, at, size)
    try:
        actor_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("EventActorSetAlarm.actor_id", at, error) from None
    at = end
    if at + 5 > size:
        raise _bare.ends_early(
            at,
            size,
            ("EventActorSetAlarm.generation", 4),
            ("EventActorSetAlarm.alarm_ts", 1),
        )
    generation, alarm_ts_given = _UNPACK_FROM_IB(buf, at)
    at += 5
    alarm_ts: int | None = None
    if alarm_ts_given == 1:
        if at + 8 > size:
            raise _bare.ends_early(at, size, ("EventActorSetAlarm.alarm_ts", 8))
        (alarm_ts_value,) = _UNPACK_FROM_q(buf, at)
        at += 8
        alarm_ts = alarm_ts_value
    elif alarm_ts_given:
        raise _bare.bad_bool("EventActorSetAlarm.alarm_ts", alarm_ts_given, at - 1)
    return EventActorSetAlarm(actor_id, generation, alarm_ts), at


def _write_event_actor_set_alarm(out: list[bytes], message: EventActorSetAlarm) -> None:
    actor_id = message.actor_id
    if type(actor_id) is not str:
        actor_id = _bare.text(actor_id, "EventActorSetAlarm.actor_id")
    try:
        actor_id_bytes = actor_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("EventActorSetAlarm.actor_id", error) from None
    actor_id_size = len(actor_id_bytes)
    generation = message.generation
    if type(generation) is not int:
        generation = _bare.integer(generation, "EventActorSetAlarm.generation", "u32")
    alarm_ts = message.alarm_ts
    try:
        packed = _PACK_I(generation)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("EventActorSetAlarm.generation", "u32", generation)) from None
    out += (
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        packed,
    )
    if alarm_ts is None:
        out.append(b"\x00")
    else:
        if type(alarm_ts) is not int:
            alarm_ts = _bare.integer(alarm_ts, "EventActorSetAlarm.alarm_ts", "i64")
        try:
            packed_2 = _PACK_Bq(1, alarm_ts)
        except _bare.PACK_ERRORS:
            raise _bare.out_of_range(("EventActorSetAlarm.alarm_ts", "i64", alarm_ts)) from None
        out.append(packed_2)


def _read_event_wrapper(buf: bytes, at: int, size: int) -> tuple[EventWrapper, int]:
    if at + 9 > size:
        raise _bare.ends_early(at, size, ("EventWrapper.index", 8), ("EventWrapper.inner", 1))
    index, inner_tag = _UNPACK_FROM_qB(buf, at)
    at += 9
    try:
        read_inner = _EVENT_READERS[inner_tag]
    except LookupError:
        raise _bare.unknown_value("EventWrapper.inner", "Event", inner_tag, at - 1) from None
    inner, at = read_inner(buf, at, size)
    return EventWrapper(index, inner), at


def _write_event_wrapper(out: list[bytes], message: EventWrapper) -> None:
    index = message.index
    if type(index) is not int:
        index = _bare.integer(index, "EventWrapper.index", "i64")
    inner = message.inner
    try:
        inner_tag, write_inner = _EVENT_WRITERS[type(inner)]
    except KeyError:
        raise _bare.wrong_type("EventWrapper.inner", "a member of Event", inner) from None
    try:
        packed = _PACK_qB(index, inner_tag)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("EventWrapper.index", "i64", index)) from None
    out.append(packed)
    write_inner(out, inner)


def _read_command_start_actor(buf: bytes, at: int, size: int) -> tuple[CommandStartActor, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("CommandStartActor.actor_id", 1))
    actor_id_size = buf[at]
    at += 1
    if actor_id_size > 127:
        actor_id_size, at = _bare.read_long_uint(buf, at - 1, size, "CommandStartActor.actor_id")
    end = at + actor_id_size
    if end > size:
        raise _bare.runs_past_end("CommandStartActor.actor_id", actor_id_size, at, size)
    try:
        actor_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("CommandStartActor.actor_id", at, error) from None
    at = end
    if at + 4 > size:
        raise _bare.ends_early(at, size, ("CommandStartActor.generation", 4))
    (generation,) = _UNPACK_FROM_I(buf, at)
    at += 4
    config, at = read_actor_config(buf, at, size)
    if at >= size:
        raise _bare.ends_early(at, size, ("CommandStartActor.hibernating_requests", 1))
    hibernating_requests_count = buf[at]
    at += 1
    if hibernating_requests_count > 127:
        hibernating_requests_count, at = _bare.read_long_uint(
            buf,
            at - 1,
            size,
            "CommandStartActor.hibernating_requests",
        )
    if hibernating_requests_count * 8 > size - at:
        raise _bare.list_runs_past_end("CommandStartActor.hibernating_requests", hibernating_requests_count, 8, at, size)
    hibernating_requests: list[HibernatingRequest] = []
    for _ in range(hibernating_requests_count):
        if at + 8 > size:
            raise _bare.ends_early(
                at,
                size,
                ("HibernatingRequest.gateway_id", 4),
                ("HibernatingRequest.request_id", 4),
            )
        hibernating_requests_item_gateway_id, hibernating_requests_item_request_id = _UNPACK_FROM_4s4s(buf, at)
        at += 8
        hibernating_requests.append(HibernatingRequest(hibernating_requests_item_gateway_id, hibernating_requests_item_request_id))
    return CommandStartActor(actor_id, generation, config, hibernating_requests), at


def _write_command_start_actor(out: list[bytes], message: CommandStartActor) -> None:
    actor_id = message.actor_id
    if type(actor_id) is not str:
        actor_id = _bare.text(actor_id, "CommandStartActor.actor_id")
    try:
        actor_id_bytes = actor_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("CommandStartActor.actor_id", error) from None
    actor_id_size = len(actor_id_bytes)
    generation = message.generation
    if type(generation) is not int:
        generation = _bare.integer(generation, "CommandStartActor.generation", "u32")
    config = message.config
    if type(config) is not ActorConfig:
        raise _bare.wrong_type("CommandStartActor.config", "ActorConfig", config)
    try:
        packed = _PACK_I(generation)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("CommandStartActor.generation", "u32", generation)) from None
    out += (
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        packed,
    )
    write_actor_config(out, config)
    hibernating_requests = message.hibernating_requests
    if type(hibernating_requests) is not list and type(hibernating_requests) is not tuple:
        hibernating_requests = _bare.sequence(hibernating_requests, "CommandStartActor.hibernating_requests")
    hibernating_requests_count = len(hibernating_requests)
    out.append(_ONE_BYTE[hibernating_requests_count] if hibernating_requests_count < 128 else _bare.long_uint(hibernating_requests_count))
    for hibernating_requests_index, hibernating_requests_item in enumerate(hibernating_requests):
        if type(hibernating_requests_item) is not HibernatingRequest:
            raise _bare.wrong_type(f"CommandStartActor.hibernating_requests[{hibernating_requests_index}]", "HibernatingRequest", hibernating_requests_item)
        hibernating_requests_item_gateway_id = hibernating_requests_item.gateway_id
        if type(hibernating_requests_item_gateway_id) is not bytes or len(hibernating_requests_item_gateway_id) != 4:
            hibernating_requests_item_gateway_id = _bare.fixed_data(hibernating_requests_item_gateway_id, 4, "HibernatingRequest.gateway_id")
        hibernating_requests_item_request_id = hibernating_requests_item.request_id
        if type(hibernating_requests_item_request_id) is not bytes or len(hibernating_requests_item_request_id) != 4:
            hibernating_requests_item_request_id = _bare.fixed_data(hibernating_requests_item_request_id, 4, "HibernatingRequest.request_id")
        packed_2 = _PACK_4s4s(hibernating_requests_item_gateway_id, hibernating_requests_item_request_id)
        out.append(packed_2)


def _read_command_stop_actor(buf: bytes, at: int, size: int) -> tuple[CommandStopActor, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("CommandStopActor.actor_id", 1))
    actor_id_size = buf[at]
    at += 1
    if actor_id_size > 127:
        actor_id_size, at = _bare.read_long_uint(buf, at - 1, size, "CommandStopActor.actor_id")
    end = at + actor_id_size
    if end > size:
        raise _bare.runs_past_end("CommandStopActor.actor_id", actor_id_size, at, size)
    try:
        actor_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("CommandStopActor.actor_id", at, error) from None
    at = end
    if at + 4 > size:
        raise _bare.ends_early(at, size, ("CommandStopActor.generation", 4))
    (generation,) = _UNPACK_FROM_I(buf, at)
    at += 4
    return CommandStopActor(actor_id, generation), at


def _write_command_stop_actor(out: list[bytes], message: CommandStopActor) -> None:
    actor_id = message.actor_id
    if type(actor_id) is not str:
        actor_id = _bare.text(actor_id, "CommandStopActor.actor_id")
    try:
        actor_id_bytes = actor_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("CommandStopActor.actor_id", error) from None
    actor_id_size = len(actor_id_bytes)
    generation = message.generation
    if type(generation) is not int:
        generation = _bare.integer(generation, "CommandStopActor.generation", "u32")
    try:
        packed = _PACK_I(generation)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("CommandStopActor.generation", "u32", generation)) from None
    out += (
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        packed,
    )


def _read_command_wrapper(buf: bytes, at: int, size: int) -> tuple[CommandWrapper, int]:
    if at + 9 > size:
        raise _bare.ends_early(at, size, ("CommandWrapper.index", 8), ("CommandWrapper.inner", 1))
    index, inner_tag = _UNPACK_FROM_qB(buf, at)
    at += 9
    try:
        read_inner = _COMMAND_READERS[inner_tag]
    except LookupError:
        raise _bare.unknown_value("CommandWrapper.inner", "Command", inner_tag, at - 1) from None
    inner, at = read_inner(buf, at, size)
    return CommandWrapper(index, inner), at


def _write_command_wrapper(out: list[bytes], message: CommandWrapper) -> None:
    index = message.index
    if type(index) is not int:
        index = _bare.integer(index, "CommandWrapper.index", "i64")
    inner = message.inner
    try:
        inner_tag, write_inner = _COMMAND_WRITERS[type(inner)]
    except KeyError:
        raise _bare.wrong_type("CommandWrapper.inner", "a member of Command", inner) from None
    try:
        packed = _PACK_qB(index, inner_tag)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("CommandWrapper.index", "i64", index)) from None
    out.append(packed)
    write_inner(out, inner)


def _read_deprecated_tunnel_ack(buf: bytes, at: int, size: int) -> tuple[DeprecatedTunnelAck, int]:
    return _DEPRECATED_TUNNEL_ACK_VALUE, at


def _write_deprecated_tunnel_ack(out: list[bytes], message: DeprecatedTunnelAck) -> None:
    pass


def _read_to_server_init(buf: bytes, at: int, size: int) -> tuple[ToServerInit, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerInit.name", 1))
    name_size = buf[at]
    at += 1
    if name_size > 127:
        name_size, at = _bare.read_long_uint(buf, at - 1, size, "ToServerInit.name")
    end = at + name_size
    if end > size:
        raise _bare.runs_past_end("ToServerInit.name", name_size, at, size)
    try:
        name = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToServerInit.name", at, error) from None
    at = end
    if at + 9 > size:
        raise _bare.ends_early(
            at,
            size,
            ("ToServerInit.version", 4),
            ("ToServerInit.total_slots", 4),
            ("ToServerInit.last_command_idx", 1),
        )
    version, total_slots, last_command_idx_given = _UNPACK_FROM_IIB(buf, at)
    at += 9
    last_command_idx: int | None = None
    if last_command_idx_given == 1:
        if at + 8 > size:
            raise _bare.ends_early(at, size, ("ToServerInit.last_command_idx", 8))
        (last_command_idx_value,) = _UNPACK_FROM_q(buf, at)
        at += 8
        last_command_idx = last_command_idx_value
    elif last_command_idx_given:
        raise _bare.bad_bool("ToServerInit.last_command_idx", last_command_idx_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerInit.prepopulate_actor_names", 1))
    prepopulate_actor_names_given = buf[at]
    at += 1
    prepopulate_actor_names: collections.abc.Mapping[str, ActorName] | None = None
    if prepopulate_actor_names_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ToServerInit.prepopulate_actor_names", 1))
        prepopulate_actor_names_value_count = buf[at]
        at += 1
        if prepopulate_actor_names_value_count > 127:
            prepopulate_actor_names_value_count, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                "ToServerInit.prepopulate_actor_names",
            )
        if prepopulate_actor_names_value_count * 2 > size - at:
            raise _bare.list_runs_past_end("ToServerInit.prepopulate_actor_names", prepopulate_actor_names_value_count, 2, at, size)
        prepopulate_actor_names_value: dict[str, ActorName] = {}
        for _ in range(prepopulate_actor_names_value_count):
            if at >= size:
                raise _bare.ends_early(
                    at,
                    size,
                    (f"ToServerInit.prepopulate_actor_names[{len(prepopulate_actor_names_value)}] key", 1),
                )
            prepopulate_actor_names_value_key_size = buf[at]
            at += 1
            if prepopulate_actor_names_value_key_size > 127:
                prepopulate_actor_names_value_key_size, at = _bare.read_long_uint(
                    buf,
                    at - 1,
                    size,
                    f"ToServerInit.prepopulate_actor_names[{len(prepopulate_actor_names_value)}] key",
                )
            end = at + prepopulate_actor_names_value_key_size
            if end > size:
                raise _bare.runs_past_end(f"ToServerInit.prepopulate_actor_names[{len(prepopulate_actor_names_value)}] key", prepopulate_actor_names_value_key_size, at, size)
            try:
                prepopulate_actor_names_value_key_2 = buf[at:end].decode()
            except UnicodeDecodeError as error:
                raise _bare.bad_text(f"ToServerInit.prepopulate_actor_names[{len(prepopulate_actor_names_value)}] key", at, error) from None
            at = end
            prepopulate_actor_names_value_key = prepopulate_actor_names_value_key_2
            if prepopulate_actor_names_value_key in prepopulate_actor_names_value:
                raise _bare.repeated_key("ToServerInit.prepopulate_actor_names", prepopulate_actor_names_value_key, at)
            prepopulate_actor_names_value_value, at = read_actor_name(buf, at, size)
            prepopulate_actor_names_value[prepopulate_actor_names_value_key] = prepopulate_actor_names_value_value
        prepopulate_actor_names = prepopulate_actor_names_value
    elif prepopulate_actor_names_given:
        raise _bare.bad_bool("ToServerInit.prepopulate_actor_names", prepopulate_actor_names_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerInit.metadata", 1))
    metadata_given = buf[at]
    at += 1
    metadata: Json | None = None
    if metadata_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ToServerInit.metadata", 1))
        metadata_value_size = buf[at]
        at += 1
        if metadata_value_size > 127:
            metadata_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ToServerInit.metadata")
        end = at + metadata_value_size
        if end > size:
            raise _bare.runs_past_end("ToServerInit.metadata", metadata_value_size, at, size)
        try:
            metadata_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text("ToServerInit.metadata", at, error) from None
        at = end
        metadata = metadata_value
    elif metadata_given:
        raise _bare.bad_bool("ToServerInit.metadata", metadata_given, at - 1)
    return ToServerInit(name, version, total_slots, last_command_idx, prepopulate_actor_names, metadata), at


def _write_to_server_init_tag_0(out: list[bytes], message: ToServerInit) -> None:
    name = message.name
    if type(name) is not str:
        name = _bare.text(name, "ToServerInit.name")
    try:
        name_bytes = name.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToServerInit.name", error) from None
    name_size = len(name_bytes)
    version = message.version
    if type(version) is not int:
        version = _bare.integer(version, "ToServerInit.version", "u32")
    total_slots = message.total_slots
    if type(total_slots) is not int:
        total_slots = _bare.integer(total_slots, "ToServerInit.total_slots", "u32")
    last_command_idx = message.last_command_idx
    try:
        packed = _PACK_II(version, total_slots)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(
            ("ToServerInit.version", "u32", version),
            ("ToServerInit.total_slots", "u32", total_slots),
        ) from None
    out += (
        b"\x00",
        _ONE_BYTE[name_size] if name_size < 128 else _bare.long_uint(name_size),
        name_bytes,
        packed,
    )
    if last_command_idx is None:
        out.append(b"\x00")
    else:
        if type(last_command_idx) is not int:
            last_command_idx = _bare.integer(last_command_idx, "ToServerInit.last_command_idx", "i64")
        try:
            packed_2 = _PACK_Bq(1, last_command_idx)
        except _bare.PACK_ERRORS:
            raise _bare.out_of_range(("ToServerInit.last_command_idx", "i64", last_command_idx)) from None
        out.append(packed_2)
    prepopulate_actor_names = message.prepopulate_actor_names
    if prepopulate_actor_names is None:
        out.append(b"\x00")
    else:
        if type(prepopulate_actor_names) is not dict:
            prepopulate_actor_names = _bare.mapping(prepopulate_actor_names, "ToServerInit.prepopulate_actor_names")
        prepopulate_actor_names_count = len(prepopulate_actor_names)
        out += (
            b"\x01",
            _ONE_BYTE[prepopulate_actor_names_count] if prepopulate_actor_names_count < 128 else _bare.long_uint(prepopulate_actor_names_count),
        )
        for prepopulate_actor_names_key, prepopulate_actor_names_value in prepopulate_actor_names.items():
            if type(prepopulate_actor_names_key) is not str:
                prepopulate_actor_names_key = _bare.text(prepopulate_actor_names_key, f"ToServerInit.prepopulate_actor_names[{_bare.shown(prepopulate_actor_names_key)}] key")
            try:
                prepopulate_actor_names_key_bytes = prepopulate_actor_names_key.encode()
            except UnicodeEncodeError as error:
                raise _bare.not_encodable(f"ToServerInit.prepopulate_actor_names[{_bare.shown(prepopulate_actor_names_key)}] key", error) from None
            prepopulate_actor_names_key_size = len(prepopulate_actor_names_key_bytes)
            if type(prepopulate_actor_names_value) is not ActorName:
                raise _bare.wrong_type(f"ToServerInit.prepopulate_actor_names[{_bare.shown(prepopulate_actor_names_key)}] value", "ActorName", prepopulate_actor_names_value)
            out += (
                _ONE_BYTE[prepopulate_actor_names_key_size] if prepopulate_actor_names_key_size < 128 else _bare.long_uint(prepopulate_actor_names_key_size),
                prepopulate_actor_names_key_bytes,
            )
            write_actor_name(out, prepopulate_actor_names_value)
    metadata = message.metadata
    if metadata is None:
        out.append(b"\x00")
    else:
        if type(metadata) is not str:
            metadata = _bare.text(metadata, "ToServerInit.metadata")
        try:
            metadata_bytes = metadata.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable("ToServerInit.metadata", error) from None
        metadata_size = len(metadata_bytes)
        out += (
            b"\x01",
            _ONE_BYTE[metadata_size] if metadata_size < 128 else _bare.long_uint(metadata_size),
            metadata_bytes,
        )


def _read_to_server_ack_commands(buf: bytes, at: int, size: int) -> tuple[ToServerAckCommands, int]:
    if at + 8 > size:
        raise _bare.ends_early(at, size, ("ToServerAckCommands.last_command_idx", 8))
    (last_command_idx,) = _UNPACK_FROM_q(buf, at)
    at += 8
    return ToServerAckCommands(last_command_idx), at


def _write_to_server_ack_commands_tag_2(out: list[bytes], message: ToServerAckCommands) -> None:
    last_command_idx = message.last_command_idx
    if type(last_command_idx) is not int:
        last_command_idx = _bare.integer(last_command_idx, "ToServerAckCommands.last_command_idx", "i64")
    try:
        packed = _PACK_Bq(2, last_command_idx)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ToServerAckCommands.last_command_idx", "i64", last_command_idx)) from None
    out.append(packed)


def _read_to_server_ping(buf: bytes, at: int, size: int) -> tuple[ToServerPing, int]:
    if at + 8 > size:
        raise _bare.ends_early(at, size, ("ToServerPing.ts", 8))
    (ts,) = _UNPACK_FROM_q(buf, at)
    at += 8
    return ToServerPing(ts), at


def _write_to_server_ping_tag_4(out: list[bytes], message: ToServerPing) -> None:
    ts = message.ts
    if type(ts) is not int:
        ts = _bare.integer(ts, "ToServerPing.ts", "i64")
    try:
        packed = _PACK_Bq(4, ts)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ToServerPing.ts", "i64", ts)) from None
    out.append(packed)


def _read_to_client_init(buf: bytes, at: int, size: int) -> tuple[ToClientInit, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientInit.runner_id", 1))
    runner_id_size = buf[at]
    at += 1
    if runner_id_size > 127:
        runner_id_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientInit.runner_id")
    end = at + runner_id_size
    if end > size:
        raise _bare.runs_past_end("ToClientInit.runner_id", runner_id_size, at, size)
    try:
        runner_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToClientInit.runner_id", at, error) from None
    at = end
    if at + 16 > size:
        raise _bare.ends_early(
            at,
            size,
            ("ToClientInit.last_event_idx", 8),
            ("ProtocolMetadata.runner_lost_threshold", 8),
        )
    last_event_idx, metadata_runner_lost_threshold = _UNPACK_FROM_qq(buf, at)
    at += 16
    return ToClientInit(runner_id, last_event_idx, ProtocolMetadata(metadata_runner_lost_threshold)), at


def _write_to_client_init_tag_0(out: list[bytes], message: ToClientInit) -> None:
    runner_id = message.runner_id
    if type(runner_id) is not str:
        runner_id = _bare.text(runner_id, "ToClientInit.runner_id")
    try:
        runner_id_bytes = runner_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToClientInit.runner_id", error) from None
    runner_id_size = len(runner_id_bytes)
    last_event_idx = message.last_event_idx
    if type(last_event_idx) is not int:
        last_event_idx = _bare.integer(last_event_idx, "ToClientInit.last_event_idx", "i64")
    metadata = message.metadata
    if type(metadata) is not ProtocolMetadata:
        raise _bare.wrong_type("ToClientInit.metadata", "ProtocolMetadata", metadata)
    metadata_runner_lost_threshold = metadata.runner_lost_threshold
    if type(metadata_runner_lost_threshold) is not int:
        metadata_runner_lost_threshold = _bare.integer(metadata_runner_lost_threshold, "ProtocolMetadata.runner_lost_threshold", "i64")
    try:
        packed = _PACK_qq(last_event_idx, metadata_runner_lost_threshold)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(
            ("ToClientInit.last_event_idx", "i64", last_event_idx),
            ("ProtocolMetadata.runner_lost_threshold", "i64", metadata_runner_lost_threshold),
        ) from None
    out += (
        b"\x00",
        _ONE_BYTE[runner_id_size] if runner_id_size < 128 else _bare.long_uint(runner_id_size),
        runner_id_bytes,
        packed,
    )


def _read_to_client_close(buf: bytes, at: int, size: int) -> tuple[ToClientClose, int]:
    return _TO_CLIENT_CLOSE_VALUE, at


def _write_to_client_close_tag_1(out: list[bytes], message: ToClientClose) -> None:
    out.append(b"\x01")


def _read_to_client_ack_events(buf: bytes, at: int, size: int) -> tuple[ToClientAckEvents, int]:
    if at + 8 > size:
        raise _bare.ends_early(at, size, ("ToClientAckEvents.last_event_idx", 8))
    (last_event_idx,) = _UNPACK_FROM_q(buf, at)
    at += 8
    return ToClientAckEvents(last_event_idx), at


def _write_to_client_ack_events_tag_3(out: list[bytes], message: ToClientAckEvents) -> None:
    last_event_idx = message.last_event_idx
    if type(last_event_idx) is not int:
        last_event_idx = _bare.integer(last_event_idx, "ToClientAckEvents.last_event_idx", "i64")
    try:
        packed = _PACK_Bq(3, last_event_idx)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ToClientAckEvents.last_event_idx", "i64", last_event_idx)) from None
    out.append(packed)


def _read_to_serverless_server_init(buf: bytes, at: int, size: int) -> tuple[ToServerlessServerInit, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerlessServerInit.runner_id", 1))
    runner_id_size = buf[at]
    at += 1
    if runner_id_size > 127:
        runner_id_size, at = _bare.read_long_uint(buf, at - 1, size, "ToServerlessServerInit.runner_id")
    end = at + runner_id_size
    if end > size:
        raise _bare.runs_past_end("ToServerlessServerInit.runner_id", runner_id_size, at, size)
    try:
        runner_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToServerlessServerInit.runner_id", at, error) from None
    at = end
    return ToServerlessServerInit(runner_id), at


def _write_to_serverless_server_init_tag_0(out: list[bytes], message: ToServerlessServerInit) -> None:
    runner_id = message.runner_id
    if type(runner_id) is not str:
        runner_id = _bare.text(runner_id, "ToServerlessServerInit.runner_id")
    try:
        runner_id_bytes = runner_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToServerlessServerInit.runner_id", error) from None
    runner_id_size = len(runner_id_bytes)
    out += (
        b"\x00",
        _ONE_BYTE[runner_id_size] if runner_id_size < 128 else _bare.long_uint(runner_id_size),
        runner_id_bytes,
    )


_KV_RESPONSE_DATA_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[KvResponseData, int]], ...]] = (
    read_kv_error_response,
    _read_kv_get_response,
    _read_kv_list_response,
    read_kv_put_response,
    read_kv_delete_response,
    read_kv_drop_response,
)


_KV_RESPONSE_DATA_WRITERS: typing.Final[dict[type, tuple[int, collections.abc.Callable[[list[bytes], typing.Any], None]]]] = {
    KvErrorResponse: (0, write_kv_error_response),
    KvGetResponse: (1, _write_kv_get_response),
    KvListResponse: (2, _write_kv_list_response),
    KvPutResponse: (3, write_kv_put_response),
    KvDeleteResponse: (4, write_kv_delete_response),
    KvDropResponse: (5, write_kv_drop_response),
}


_EVENT_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[Event, int]], ...]] = (
    _read_event_actor_intent,
    _read_event_actor_state_update,
    _read_event_actor_set_alarm,
)


_EVENT_WRITERS: typing.Final[dict[type, tuple[int, collections.abc.Callable[[list[bytes], typing.Any], None]]]] = {
    EventActorIntent: (0, _write_event_actor_intent),
    EventActorStateUpdate: (1, _write_event_actor_state_update),
    EventActorSetAlarm: (2, _write_event_actor_set_alarm),
}


_COMMAND_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[Command, int]], ...]] = (
    _read_command_start_actor,
    _read_command_stop_actor,
)


_COMMAND_WRITERS: typing.Final[dict[type, tuple[int, collections.abc.Callable[[list[bytes], typing.Any], None]]]] = {
    CommandStartActor: (0, _write_command_start_actor),
    CommandStopActor: (1, _write_command_stop_actor),
}


_TO_SERVERLESS_SERVER_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ToServerlessServer, int]], ...]] = (
    _read_to_serverless_server_init,
)


_TO_SERVERLESS_SERVER_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    ToServerlessServerInit: _write_to_serverless_server_init_tag_0,
}


_KV_REQUEST_DATA_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[KvRequestData, int]], ...]] = (
    read_kv_get_request,
    read_kv_list_request,
    read_kv_put_request,
    read_kv_delete_request,
    read_kv_drop_request,
)


_KV_REQUEST_DATA_WRITERS: typing.Final[dict[type, tuple[int, collections.abc.Callable[[list[bytes], typing.Any], None]]]] = {
    KvGetRequest: (0, write_kv_get_request),
    KvListRequest: (1, write_kv_list_request),
    KvPutRequest: (2, write_kv_put_request),
    KvDeleteRequest: (3, write_kv_delete_request),
    KvDropRequest: (4, write_kv_drop_request),
}


_TO_SERVER_TUNNEL_MESSAGE_KIND_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ToServerTunnelMessageKind, int]], ...]] = (
    _read_deprecated_tunnel_ack,
    read_to_server_response_start,
    read_to_server_response_chunk,
    read_to_server_response_abort,
    read_to_server_web_socket_open,
    read_to_server_web_socket_message,
    read_to_server_web_socket_message_ack,
    read_to_server_web_socket_close,
)


_TO_SERVER_TUNNEL_MESSAGE_KIND_WRITERS: typing.Final[dict[type, tuple[int, collections.abc.Callable[[list[bytes], typing.Any], None]]]] = {
    DeprecatedTunnelAck: (0, _write_deprecated_tunnel_ack),
    ToServerResponseStart: (1, write_to_server_response_start),
    ToServerResponseChunk: (2, write_to_server_response_chunk),
    ToServerResponseAbort: (3, write_to_server_response_abort),
    ToServerWebSocketOpen: (4, write_to_server_web_socket_open),
    ToServerWebSocketMessage: (5, write_to_server_web_socket_message),
    ToServerWebSocketMessageAck: (6, write_to_server_web_socket_message_ack),
    ToServerWebSocketClose: (7, write_to_server_web_socket_close),
}


_TO_CLIENT_TUNNEL_MESSAGE_KIND_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ToClientTunnelMessageKind, int]], ...]] = (
    _read_deprecated_tunnel_ack,
    read_to_client_request_start,
    read_to_client_request_chunk,
    read_to_client_request_abort,
    read_to_client_web_socket_open,
    read_to_client_web_socket_message,
    read_to_client_web_socket_close,
)


_TO_CLIENT_TUNNEL_MESSAGE_KIND_WRITERS: typing.Final[dict[type, tuple[int, collections.abc.Callable[[list[bytes], typing.Any], None]]]] = {
    DeprecatedTunnelAck: (0, _write_deprecated_tunnel_ack),
    ToClientRequestStart: (1, write_to_client_request_start),
    ToClientRequestChunk: (2, write_to_client_request_chunk),
    ToClientRequestAbort: (3, write_to_client_request_abort),
    ToClientWebSocketOpen: (4, write_to_client_web_socket_open),
    ToClientWebSocketMessage: (5, write_to_client_web_socket_message),
    ToClientWebSocketClose: (6, write_to_client_web_socket_close),
}


_TO_SERVER_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ToServer, int]], ...]] = (
    _read_to_server_init,
    _read_to_server_events,
    _read_to_server_ack_commands,
    read_to_server_stopping,
    _read_to_server_ping,
    _read_to_server_kv_request,
    _read_to_server_tunnel_message,
)


_TO_SERVER_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    ToServerInit: _write_to_server_init_tag_0,
    ToServerEvents: _write_to_server_events_tag_1,
    ToServerAckCommands: _write_to_server_ack_commands_tag_2,
    ToServerStopping: write_to_server_stopping_tag_3,
    ToServerPing: _write_to_server_ping_tag_4,
    ToServerKvRequest: _write_to_server_kv_request_tag_5,
    ToServerTunnelMessage: _write_to_server_tunnel_message_tag_6,
}


_TO_CLIENT_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ToClient, int]], ...]] = (
    _read_to_client_init,
    _read_to_client_close,
    _read_to_client_commands,
    _read_to_client_ack_events,
    _read_to_client_kv_response,
    _read_to_client_tunnel_message,
)


_TO_CLIENT_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    ToClientInit: _write_to_client_init_tag_0,
    ToClientClose: _write_to_client_close_tag_1,
    ToClientCommands: _write_to_client_commands_tag_2,
    ToClientAckEvents: _write_to_client_ack_events_tag_3,
    ToClientKvResponse: _write_to_client_kv_response_tag_4,
    ToClientTunnelMessage: _write_to_client_tunnel_message_tag_5,
}


def encode_to_serverless_server(message: ToServerlessServer) -> bytes:
    """Encode one message; raises ``TypeError`` or ``ValueError`` that names the field."""
    out: list[bytes] = []
    try:
        write = _TO_SERVERLESS_SERVER_WRITERS[type(message)]
    except KeyError:
        raise _bare.wrong_type("ToServerlessServer", "a member of ToServerlessServer", message) from None
    write(out, message)
    return b"".join(out)


def decode_to_serverless_server(buf: bytes | bytearray | memoryview) -> ToServerlessServer:
    """Decode exactly one message; raises ``DecodeError`` for anything else."""
    if type(buf) is not bytes:
        buf = _bare.as_bytes(buf)
    at = 0
    size = len(buf)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerlessServer", 1))
    value_tag = buf[at]
    at += 1
    try:
        read_value = _TO_SERVERLESS_SERVER_READERS[value_tag]
    except LookupError:
        raise _bare.unknown_value("ToServerlessServer", "ToServerlessServer", value_tag, at - 1) from None
    value, at = read_value(buf, at, size)
    if at != size:
        raise _bare.left_over("ToServerlessServer", at, size)
    return value


def encode_to_server(message: ToServer) -> bytes:
    """Encode one message; raises ``TypeError`` or ``ValueError`` that names the field."""
    out: list[bytes] = []
    try:
        write = _TO_SERVER_WRITERS[type(message)]
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
        read_value = _TO_SERVER_READERS[value_tag]
    except LookupError:
        raise _bare.unknown_value("ToServer", "ToServer", value_tag, at - 1) from None
    value, at = read_value(buf, at, size)
    if at != size:
        raise _bare.left_over("ToServer", at, size)
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
