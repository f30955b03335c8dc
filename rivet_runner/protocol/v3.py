# This file is generated from protocol/v3.bare by protocol/generate.py: change that schema, and generate again.
# mypy: no-warn-unreachable
# ruff: noqa: E501
"""The messages of protocol/v3.bare as frozen Structs, and the functions that encode and decode them.

``encode_*`` raises a ``TypeError`` or ``ValueError`` that names the field. ``decode_*`` takes any bytes-like
object and raises ``DecodeError`` for anything but exactly one message; it makes a ``list`` of a list, and a
``dict`` of a map in the order of the bytes. A type without contents is a Struct without fields, and a message
that is a list is a Struct with the one field ``items``.
"""

from __future__ import annotations

import collections.abc
import enum
import struct
import typing

import msgspec

from rivet_runner.protocol import _bare

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


class KvGetRequest(msgspec.Struct, frozen=True, gc=False):
    """Asks for the values of these keys; the answer holds only those that exist, in this order."""

    keys: collections.abc.Sequence[bytes]


class KvListAllQuery(msgspec.Struct, frozen=True, gc=False):
    """Every key of the actor."""


class KvListRangeQuery(msgspec.Struct, frozen=True, gc=False):
    """The keys from start to end."""

    start: bytes
    end: bytes
    # Whether end itself is left out.
    exclusive: bool


class KvListPrefixQuery(msgspec.Struct, frozen=True, gc=False):
    """The keys that begin with key."""

    key: bytes


class KvListRequest(msgspec.Struct, frozen=True, gc=False):
    """Asks for keys and their values, in key order."""

    query: KvListQuery
    # Descending key order.
    reverse: bool | None
    # The most entries to answer.
    limit: int | None


class KvPutRequest(msgspec.Struct, frozen=True, gc=False):
    """Stores values[n] under keys[n], all or nothing."""

    keys: collections.abc.Sequence[bytes]
    values: collections.abc.Sequence[bytes]


class KvDeleteRequest(msgspec.Struct, frozen=True, gc=False):
    """Removes these keys."""

    keys: collections.abc.Sequence[bytes]


class KvDropRequest(msgspec.Struct, frozen=True, gc=False):
    """Removes every key of the actor."""


class KvMetadata(msgspec.Struct, frozen=True, gc=False):
    """What the store knows about one entry."""

    version: bytes
    # Milliseconds since the epoch.
    create_ts: int


class KvErrorResponse(msgspec.Struct, frozen=True, gc=False):
    """The request was refused."""

    message: str


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


class KvPutResponse(msgspec.Struct, frozen=True, gc=False):
    """A KvPutRequest was carried out."""


class KvDeleteResponse(msgspec.Struct, frozen=True, gc=False):
    """A KvDeleteRequest was carried out."""


class KvDropResponse(msgspec.Struct, frozen=True, gc=False):
    """A KvDropRequest was carried out."""


class ActorIntentSleep(msgspec.Struct, frozen=True, gc=False):
    """The actor asks to sleep."""


class ActorIntentStop(msgspec.Struct, frozen=True, gc=False):
    """The actor asks to be stopped for good."""


class StopCode(enum.IntEnum):
    """Why an actor stopped."""

    OK = 0
    ERROR = 1


class ActorStateRunning(msgspec.Struct, frozen=True, gc=False):
    """The actor has started."""


class ActorStateStopped(msgspec.Struct, frozen=True, gc=False):
    """The actor is gone from this runner."""

    code: StopCode
    message: str | None


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
    """When the engine is to wake the actor."""

    actor_id: Id
    generation: int
    # Milliseconds since the epoch; none clears the alarm.
    alarm_ts: int | None


class EventWrapper(msgspec.Struct, frozen=True, gc=False):
    """An event and its place in the runner's one sequence of events, which starts at 0."""

    index: int
    inner: Event


class HibernatingRequest(msgspec.Struct, frozen=True, gc=False):
    """A WebSocket that stayed open while its actor slept."""

    gateway_id: GatewayId
    request_id: RequestId


class ActorConfig(msgspec.Struct, frozen=True, gc=False):
    """What an actor is started with."""

    name: str
    key: str | None
    # Milliseconds since the epoch.
    create_ts: int
    input: bytes | None


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


class MessageId(msgspec.Struct, frozen=True, gc=False):
    """The request or WebSocket, and the place of the message in it."""

    gateway_id: GatewayId
    request_id: RequestId
    message_index: MessageIndex


class DeprecatedTunnelAck(msgspec.Struct, frozen=True, gc=False):
    """No longer sent; kept because it holds tag 0 in both directions."""


class ToServerResponseStart(msgspec.Struct, frozen=True, gc=False):
    """An HTTP response: whole, or the beginning of it when stream is set."""

    status: int
    headers: collections.abc.Mapping[str, str]
    body: bytes | None
    # Whether ToServerResponseChunk messages follow.
    stream: bool


class ToServerResponseChunk(msgspec.Struct, frozen=True, gc=False):
    """More of a response body."""

    body: bytes
    # Whether this was the last chunk.
    finish: bool


class ToServerResponseAbort(msgspec.Struct, frozen=True, gc=False):
    """The response cannot be completed."""


class ToServerWebSocketOpen(msgspec.Struct, frozen=True, gc=False):
    """The runner accepts the WebSocket."""

    # Whether the gateway keeps the client connected while the actor sleeps.
    can_hibernate: bool


class ToServerWebSocketMessage(msgspec.Struct, frozen=True, gc=False):
    """A WebSocket message to the client."""

    data: bytes
    # False for a text message, whose data is UTF-8.
    binary: bool


class ToServerWebSocketMessageAck(msgspec.Struct, frozen=True, gc=False):
    """Every message of the client up to this index is processed, so the gateway may forget it."""

    index: MessageIndex


class ToServerWebSocketClose(msgspec.Struct, frozen=True, gc=False):
    """The runner closes the WebSocket, or lets go of it when hibernate is set."""

    code: int | None
    reason: str | None
    # Keep the client connected; the actor is going to sleep.
    hibernate: bool


class ToServerTunnelMessage(msgspec.Struct, frozen=True, gc=False):
    """A message to a client of an actor, through the gateway."""

    message_id: MessageId
    message_kind: ToServerTunnelMessageKind


class ToClientRequestStart(msgspec.Struct, frozen=True, gc=False):
    """An HTTP request: whole, or the beginning of it when stream is set."""

    actor_id: Id
    method: str
    # With the query string, percent-encoded as the client sent it.
    path: str
    headers: collections.abc.Mapping[str, str]
    body: bytes | None
    # Whether ToClientRequestChunk messages follow.
    stream: bool


class ToClientRequestChunk(msgspec.Struct, frozen=True, gc=False):
    """More of a request body."""

    body: bytes
    # Whether this was the last chunk.
    finish: bool


class ToClientRequestAbort(msgspec.Struct, frozen=True, gc=False):
    """The client went away."""


class ToClientWebSocketOpen(msgspec.Struct, frozen=True, gc=False):
    """A client opens a WebSocket."""

    actor_id: Id
    # With the query string, percent-encoded as the client sent it.
    path: str
    headers: collections.abc.Mapping[str, str]


class ToClientWebSocketMessage(msgspec.Struct, frozen=True, gc=False):
    """A WebSocket message from the client."""

    data: bytes
    # False for a text message, whose data is UTF-8.
    binary: bool


class ToClientWebSocketClose(msgspec.Struct, frozen=True, gc=False):
    """The client's WebSocket is closed."""

    code: int | None
    reason: str | None


class ToClientTunnelMessage(msgspec.Struct, frozen=True, gc=False):
    """A message from a client of an actor, through the gateway."""

    message_id: MessageId
    message_kind: ToClientTunnelMessageKind


class ActorName(msgspec.Struct, frozen=True, gc=False):
    """An actor name that this runner can host."""

    metadata: Json


class ToServerInit(msgspec.Struct, frozen=True, gc=False):
    """The first message on every connection."""

    name: str
    version: int
    total_slots: int
    # The last command that was carried out, on a reconnect.
    last_command_idx: int | None
    prepopulate_actor_names: collections.abc.Mapping[str, ActorName] | None
    metadata: Json | None


class ToServerEvents(msgspec.Struct, frozen=True, gc=False):
    """Events, in the order of their indexes."""

    items: collections.abc.Sequence[EventWrapper]


class ToServerAckCommands(msgspec.Struct, frozen=True, gc=False):
    """Commands up to this index are carried out."""

    last_command_idx: int


class ToServerStopping(msgspec.Struct, frozen=True, gc=False):
    """The runner is draining: no new actors, please."""


class ToServerPing(msgspec.Struct, frozen=True, gc=False):
    """Says that the runner is alive."""

    # Milliseconds since the epoch.
    ts: int


class ToServerKvRequest(msgspec.Struct, frozen=True, gc=False):
    """A key-value call of one actor."""

    actor_id: Id
    # The runner's own number, which the answer repeats.
    request_id: int
    data: KvRequestData


class ProtocolMetadata(msgspec.Struct, frozen=True, gc=False):
    """What the engine tells every runner about itself."""

    # Milliseconds without a connection after which the engine gives the runner's actors up.
    runner_lost_threshold: int


class ToClientInit(msgspec.Struct, frozen=True, gc=False):
    """The answer to ToServerInit."""

    runner_id: Id
    # The last event that the engine has stored.
    last_event_idx: int
    metadata: ProtocolMetadata


class ToClientClose(msgspec.Struct, frozen=True, gc=False):
    """The runner is to close the connection."""


class ToClientCommands(msgspec.Struct, frozen=True, gc=False):
    """Commands, in the order of their indexes."""

    items: collections.abc.Sequence[CommandWrapper]


class ToClientAckEvents(msgspec.Struct, frozen=True, gc=False):
    """Events up to this index are stored and need not be sent again."""

    last_event_idx: int


class ToClientKvResponse(msgspec.Struct, frozen=True, gc=False):
    """The answer to a ToServerKvRequest."""

    # That of the request.
    request_id: int
    data: KvResponseData


class ToServerlessServerInit(msgspec.Struct, frozen=True, gc=False):
    """Tells the engine which runner answers its server-sent-events request."""

    runner_id: Id


# Opaque text that the engine chose.
Id: typing.TypeAlias = str

# A JSON document, as text.
Json: typing.TypeAlias = str

# With RequestId, names one tunnelled request or WebSocket.
GatewayId: typing.TypeAlias = bytes

# With GatewayId, names one tunnelled request or WebSocket.
RequestId: typing.TypeAlias = bytes

# Counts the messages of one side within one request, from 0, and wraps after 65535.
MessageIndex: typing.TypeAlias = int

# Which keys to list.
KvListQuery: typing.TypeAlias = KvListAllQuery | KvListRangeQuery | KvListPrefixQuery

# What a runner asks of the key-value store.
KvRequestData: typing.TypeAlias = (
    KvGetRequest
    | KvListRequest
    | KvPutRequest
    | KvDeleteRequest
    | KvDropRequest
)

# What the key-value store answers.
KvResponseData: typing.TypeAlias = (
    KvErrorResponse
    | KvGetResponse
    | KvListResponse
    | KvPutResponse
    | KvDeleteResponse
    | KvDropResponse
)

# What an actor wants.
ActorIntent: typing.TypeAlias = ActorIntentSleep | ActorIntentStop

# Where an actor is in its life.
ActorState: typing.TypeAlias = ActorStateRunning | ActorStateStopped

# What happened to an actor.
Event: typing.TypeAlias = EventActorIntent | EventActorStateUpdate | EventActorSetAlarm

# What the engine wants of an actor.
Command: typing.TypeAlias = CommandStartActor | CommandStopActor

# What a runner says within one tunnelled request.
ToServerTunnelMessageKind: typing.TypeAlias = (
    DeprecatedTunnelAck
    | ToServerResponseStart
    | ToServerResponseChunk
    | ToServerResponseAbort
    | ToServerWebSocketOpen
    | ToServerWebSocketMessage
    | ToServerWebSocketMessageAck
    | ToServerWebSocketClose
)

# What a gateway says within one tunnelled request.
ToClientTunnelMessageKind: typing.TypeAlias = (
    DeprecatedTunnelAck
    | ToClientRequestStart
    | ToClientRequestChunk
    | ToClientRequestAbort
    | ToClientWebSocketOpen
    | ToClientWebSocketMessage
    | ToClientWebSocketClose
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

# What a serverless runner sends on that request: base64 of a little-endian u16 protocol version, then this.
ToServerlessServer: typing.TypeAlias = ToServerlessServerInit


_ONE_BYTE: typing.Final = _bare.ONE_BYTE
_UNPACK_FROM_4s4s: typing.Final = struct.Struct("<4s4s").unpack_from
_UNPACK_FROM_4s4sHB: typing.Final = struct.Struct("<4s4sHB").unpack_from
_UNPACK_FROM_BB: typing.Final = struct.Struct("<BB").unpack_from
_UNPACK_FROM_H: typing.Final = struct.Struct("<H").unpack_from
_UNPACK_FROM_HB: typing.Final = struct.Struct("<HB").unpack_from
_UNPACK_FROM_I: typing.Final = struct.Struct("<I").unpack_from
_UNPACK_FROM_IB: typing.Final = struct.Struct("<IB").unpack_from
_UNPACK_FROM_IIB: typing.Final = struct.Struct("<IIB").unpack_from
_UNPACK_FROM_Q: typing.Final = struct.Struct("<Q").unpack_from
_UNPACK_FROM_q: typing.Final = struct.Struct("<q").unpack_from
_UNPACK_FROM_qB: typing.Final = struct.Struct("<qB").unpack_from
_UNPACK_FROM_qq: typing.Final = struct.Struct("<qq").unpack_from
_PACK_4s4s: typing.Final = struct.Struct("<4s4s").pack
_PACK_B4s4sH: typing.Final = struct.Struct("<B4s4sH").pack
_PACK_Bbool: typing.Final = struct.Struct("<B?").pack
_PACK_BB: typing.Final = struct.Struct("<BB").pack
_PACK_BH: typing.Final = struct.Struct("<BH").pack
_PACK_BI: typing.Final = struct.Struct("<BI").pack
_PACK_BQ: typing.Final = struct.Struct("<BQ").pack
_PACK_Bq: typing.Final = struct.Struct("<Bq").pack
_PACK_I: typing.Final = struct.Struct("<I").pack
_PACK_II: typing.Final = struct.Struct("<II").pack
_PACK_q: typing.Final = struct.Struct("<q").pack
_PACK_qq: typing.Final = struct.Struct("<qq").pack
_KV_LIST_ALL_QUERY_VALUE: typing.Final = KvListAllQuery()
_KV_DROP_REQUEST_VALUE: typing.Final = KvDropRequest()
_KV_PUT_RESPONSE_VALUE: typing.Final = KvPutResponse()
_KV_DELETE_RESPONSE_VALUE: typing.Final = KvDeleteResponse()
_KV_DROP_RESPONSE_VALUE: typing.Final = KvDropResponse()
_ACTOR_INTENT_SLEEP_VALUE: typing.Final = ActorIntentSleep()
_ACTOR_INTENT_STOP_VALUE: typing.Final = ActorIntentStop()
_STOP_CODE_VALUES: typing.Final = {0: StopCode.OK, 1: StopCode.ERROR}
_ACTOR_STATE_RUNNING_VALUE: typing.Final = ActorStateRunning()
_DEPRECATED_TUNNEL_ACK_VALUE: typing.Final = DeprecatedTunnelAck()
_TO_SERVER_RESPONSE_ABORT_VALUE: typing.Final = ToServerResponseAbort()
_TO_CLIENT_REQUEST_ABORT_VALUE: typing.Final = ToClientRequestAbort()
_TO_SERVER_STOPPING_VALUE: typing.Final = ToServerStopping()
_TO_CLIENT_CLOSE_VALUE: typing.Final = ToClientClose()


def _read_kv_get_request(buf: bytes, at: int, size: int) -> tuple[KvGetRequest, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvGetRequest.keys", 1))
    keys_count = buf[at]
    at += 1
    if keys_count > 127:
        keys_count, at = _bare.read_long_uint(buf, at - 1, size, "KvGetRequest.keys")
    if keys_count > size - at:
        raise _bare.list_runs_past_end("KvGetRequest.keys", keys_count, 1, at, size)
    keys: list[bytes] = []
    for _ in range(keys_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"KvGetRequest.keys[{len(keys)}]", 1))
        keys_item_size = buf[at]
        at += 1
        if keys_item_size > 127:
            keys_item_size, at = _bare.read_long_uint(buf, at - 1, size, f"KvGetRequest.keys[{len(keys)}]")
        end = at + keys_item_size
        if end > size:
            raise _bare.runs_past_end(f"KvGetRequest.keys[{len(keys)}]", keys_item_size, at, size)
        keys_item = buf[at:end]
        at = end
        keys.append(keys_item)
    return KvGetRequest(keys), at


def _write_kv_get_request_tag_0(out: list[bytes], message: KvGetRequest) -> None:
    keys = message.keys
    if type(keys) is not list and type(keys) is not tuple:
        keys = _bare.sequence(keys, "KvGetRequest.keys")
    keys_count = len(keys)
    out += (b"\x00", _ONE_BYTE[keys_count] if keys_count < 128 else _bare.long_uint(keys_count))
    for keys_index, keys_item in enumerate(keys):
        if type(keys_item) is not bytes:
            keys_item = _bare.data(keys_item, f"KvGetRequest.keys[{keys_index}]")
        keys_item_size = len(keys_item)
        out += (
            _ONE_BYTE[keys_item_size] if keys_item_size < 128 else _bare.long_uint(keys_item_size),
            keys_item,
        )


def _read_kv_list_all_query(buf: bytes, at: int, size: int) -> tuple[KvListAllQuery, int]:
    return _KV_LIST_ALL_QUERY_VALUE, at


def _write_kv_list_all_query_tag_0(out: list[bytes], message: KvListAllQuery) -> None:
    out.append(b"\x00")


def _read_kv_list_range_query(buf: bytes, at: int, size: int) -> tuple[KvListRangeQuery, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListRangeQuery.start", 1))
    start_size = buf[at]
    at += 1
    if start_size > 127:
        start_size, at = _bare.read_long_uint(buf, at - 1, size, "KvListRangeQuery.start")
    end = at + start_size
    if end > size:
        raise _bare.runs_past_end("KvListRangeQuery.start", start_size, at, size)
    start = buf[at:end]
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListRangeQuery.end", 1))
    end_size = buf[at]
    at += 1
    if end_size > 127:
        end_size, at = _bare.read_long_uint(buf, at - 1, size, "KvListRangeQuery.end")
    end = at + end_size
    if end > size:
        raise _bare.runs_past_end("KvListRangeQuery.end", end_size, at, size)
    end_2 = buf[at:end]
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListRangeQuery.exclusive", 1))
    exclusive = buf[at]
    at += 1
    if exclusive > 1:
        raise _bare.bad_bool("KvListRangeQuery.exclusive", exclusive, at - 1)
    return KvListRangeQuery(start, end_2, exclusive == 1), at


def _write_kv_list_range_query_tag_1(out: list[bytes], message: KvListRangeQuery) -> None:
    start = message.start
    if type(start) is not bytes:
        start = _bare.data(start, "KvListRangeQuery.start")
    start_size = len(start)
    end_2 = message.end
    if type(end_2) is not bytes:
        end_2 = _bare.data(end_2, "KvListRangeQuery.end")
    end_2_size = len(end_2)
    exclusive = message.exclusive
    if exclusive is not True and exclusive is not False:
        raise _bare.boolean(exclusive, "KvListRangeQuery.exclusive")
    out += (
        b"\x01",
        _ONE_BYTE[start_size] if start_size < 128 else _bare.long_uint(start_size),
        start,
        _ONE_BYTE[end_2_size] if end_2_size < 128 else _bare.long_uint(end_2_size),
        end_2,
        b"\x01" if exclusive else b"\x00",
    )


def _read_kv_list_prefix_query(buf: bytes, at: int, size: int) -> tuple[KvListPrefixQuery, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListPrefixQuery.key", 1))
    key_size = buf[at]
    at += 1
    if key_size > 127:
        key_size, at = _bare.read_long_uint(buf, at - 1, size, "KvListPrefixQuery.key")
    end = at + key_size
    if end > size:
        raise _bare.runs_past_end("KvListPrefixQuery.key", key_size, at, size)
    key = buf[at:end]
    at = end
    return KvListPrefixQuery(key), at


def _write_kv_list_prefix_query_tag_2(out: list[bytes], message: KvListPrefixQuery) -> None:
    key = message.key
    if type(key) is not bytes:
        key = _bare.data(key, "KvListPrefixQuery.key")
    key_size = len(key)
    out += (b"\x02", _ONE_BYTE[key_size] if key_size < 128 else _bare.long_uint(key_size), key)


def _read_kv_list_request(buf: bytes, at: int, size: int) -> tuple[KvListRequest, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListRequest.query", 1))
    query_tag = buf[at]
    at += 1
    try:
        read_query = _KV_LIST_QUERY_READERS[query_tag]
    except LookupError:
        raise _bare.unknown_value("KvListRequest.query", "KvListQuery", query_tag, at - 1) from None
    query, at = read_query(buf, at, size)
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListRequest.reverse", 1))
    reverse_given = buf[at]
    at += 1
    reverse: bool | None = None
    if reverse_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("KvListRequest.reverse", 1))
        reverse_value = buf[at]
        at += 1
        if reverse_value > 1:
            raise _bare.bad_bool("KvListRequest.reverse", reverse_value, at - 1)
        reverse = reverse_value == 1
    elif reverse_given:
        raise _bare.bad_bool("KvListRequest.reverse", reverse_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("KvListRequest.limit", 1))
    limit_given = buf[at]
    at += 1
    limit: int | None = None
    if limit_given == 1:
        if at + 8 > size:
            raise _bare.ends_early(at, size, ("KvListRequest.limit", 8))
        (limit_value,) = _UNPACK_FROM_Q(buf, at)
        at += 8
        limit = limit_value
    elif limit_given:
        raise _bare.bad_bool("KvListRequest.limit", limit_given, at - 1)
    return KvListRequest(query, reverse, limit), at


def _write_kv_list_request_tag_1(out: list[bytes], message: KvListRequest) -> None:
    query = message.query
    try:
        write_query = _KV_LIST_QUERY_WRITERS[type(query)]
    except KeyError:
        raise _bare.wrong_type("KvListRequest.query", "a member of KvListQuery", query) from None
    out.append(b"\x01")
    write_query(out, query)
    reverse = message.reverse
    if reverse is None:
        out.append(b"\x00")
    else:
        if reverse is not True and reverse is not False:
            raise _bare.boolean(reverse, "KvListRequest.reverse")
        packed = _PACK_Bbool(1, reverse)
        out.append(packed)
    limit = message.limit
    if limit is None:
        out.append(b"\x00")
    else:
        if type(limit) is not int:
            limit = _bare.integer(limit, "KvListRequest.limit", "u64")
        try:
            packed_2 = _PACK_BQ(1, limit)
        except _bare.PACK_ERRORS:
            raise _bare.out_of_range(("KvListRequest.limit", "u64", limit)) from None
        out.append(packed_2)


def _read_kv_put_request(buf: bytes, at: int, size: int) -> tuple[KvPutRequest, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvPutRequest.keys", 1))
    keys_count = buf[at]
    at += 1
    if keys_count > 127:
        keys_count, at = _bare.read_long_uint(buf, at - 1, size, "KvPutRequest.keys")
    if keys_count > size - at:
        raise _bare.list_runs_past_end("KvPutRequest.keys", keys_count, 1, at, size)
    keys: list[bytes] = []
    for _ in range(keys_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"KvPutRequest.keys[{len(keys)}]", 1))
        keys_item_size = buf[at]
        at += 1
        if keys_item_size > 127:
            keys_item_size, at = _bare.read_long_uint(buf, at - 1, size, f"KvPutRequest.keys[{len(keys)}]")
        end = at + keys_item_size
        if end > size:
            raise _bare.runs_past_end(f"KvPutRequest.keys[{len(keys)}]", keys_item_size, at, size)
        keys_item = buf[at:end]
        at = end
        keys.append(keys_item)
    if at >= size:
        raise _bare.ends_early(at, size, ("KvPutRequest.values", 1))
    values_count = buf[at]
    at += 1
    if values_count > 127:
        values_count, at = _bare.read_long_uint(buf, at - 1, size, "KvPutRequest.values")
    if values_count > size - at:
        raise _bare.list_runs_past_end("KvPutRequest.values", values_count, 1, at, size)
    values: list[bytes] = []
    for _ in range(values_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"KvPutRequest.values[{len(values)}]", 1))
        values_item_size = buf[at]
        at += 1
        if values_item_size > 127:
            values_item_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"KvPutRequest.values[{len(values)}]",
            )
        end = at + values_item_size
        if end > size:
            raise _bare.runs_past_end(f"KvPutRequest.values[{len(values)}]", values_item_size, at, size)
        values_item = buf[at:end]
        at = end
        values.append(values_item)
    return KvPutRequest(keys, values), at


def _write_kv_put_request_tag_2(out: list[bytes], message: KvPutRequest) -> None:
    keys = message.keys
    if type(keys) is not list and type(keys) is not tuple:
        keys = _bare.sequence(keys, "KvPutRequest.keys")
    keys_count = len(keys)
    out += (b"\x02", _ONE_BYTE[keys_count] if keys_count < 128 else _bare.long_uint(keys_count))
    for keys_index, keys_item in enumerate(keys):
        if type(keys_item) is not bytes:
            keys_item = _bare.data(keys_item, f"KvPutRequest.keys[{keys_index}]")
        keys_item_size = len(keys_item)
        out += (
            _ONE_BYTE[keys_item_size] if keys_item_size < 128 else _bare.long_uint(keys_item_size),
            keys_item,
        )
    values = message.values
    if type(values) is not list and type(values) is not tuple:
        values = _bare.sequence(values, "KvPutRequest.values")
    values_count = len(values)
    out.append(_ONE_BYTE[values_count] if values_count < 128 else _bare.long_uint(values_count))
    for values_index, values_item in enumerate(values):
        if type(values_item) is not bytes:
            values_item = _bare.data(values_item, f"KvPutRequest.values[{values_index}]")
        values_item_size = len(values_item)
        out += (
            _ONE_BYTE[values_item_size] if values_item_size < 128 else _bare.long_uint(values_item_size),
            values_item,
        )


def _read_kv_delete_request(buf: bytes, at: int, size: int) -> tuple[KvDeleteRequest, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvDeleteRequest.keys", 1))
    keys_count = buf[at]
    at += 1
    if keys_count > 127:
        keys_count, at = _bare.read_long_uint(buf, at - 1, size, "KvDeleteRequest.keys")
    if keys_count > size - at:
        raise _bare.list_runs_past_end("KvDeleteRequest.keys", keys_count, 1, at, size)
    keys: list[bytes] = []
    for _ in range(keys_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"KvDeleteRequest.keys[{len(keys)}]", 1))
        keys_item_size = buf[at]
        at += 1
        if keys_item_size > 127:
            keys_item_size, at = _bare.read_long_uint(buf, at - 1, size, f"KvDeleteRequest.keys[{len(keys)}]")
        end = at + keys_item_size
        if end > size:
            raise _bare.runs_past_end(f"KvDeleteRequest.keys[{len(keys)}]", keys_item_size, at, size)
        keys_item = buf[at:end]
        at = end
        keys.append(keys_item)
    return KvDeleteRequest(keys), at


def _write_kv_delete_request_tag_3(out: list[bytes], message: KvDeleteRequest) -> None:
    keys = message.keys
    if type(keys) is not list and type(keys) is not tuple:
        keys = _bare.sequence(keys, "KvDeleteRequest.keys")
    keys_count = len(keys)
    out += (b"\x03", _ONE_BYTE[keys_count] if keys_count < 128 else _bare.long_uint(keys_count))
    for keys_index, keys_item in enumerate(keys):
        if type(keys_item) is not bytes:
            keys_item = _bare.data(keys_item, f"KvDeleteRequest.keys[{keys_index}]")
        keys_item_size = len(keys_item)
        out += (
            _ONE_BYTE[keys_item_size] if keys_item_size < 128 else _bare.long_uint(keys_item_size),
            keys_item,
        )


def _read_kv_drop_request(buf: bytes, at: int, size: int) -> tuple[KvDropRequest, int]:
    return _KV_DROP_REQUEST_VALUE, at


def _write_kv_drop_request_tag_4(out: list[bytes], message: KvDropRequest) -> None:
    out.append(b"\x04")


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


def _read_kv_error_response(buf: bytes, at: int, size: int) -> tuple[KvErrorResponse, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("KvErrorResponse.message", 1))
    message_size = buf[at]
    at += 1
    if message_size > 127:
        message_size, at = _bare.read_long_uint(buf, at - 1, size, "KvErrorResponse.message")
    end = at + message_size
    if end > size:
        raise _bare.runs_past_end("KvErrorResponse.message", message_size, at, size)
    try:
        message_2 = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("KvErrorResponse.message", at, error) from None
    at = end
    return KvErrorResponse(message_2), at


def _write_kv_error_response_tag_0(out: list[bytes], message: KvErrorResponse) -> None:
    message_2 = message.message
    if type(message_2) is not str:
        message_2 = _bare.text(message_2, "KvErrorResponse.message")
    try:
        message_2_bytes = message_2.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("KvErrorResponse.message", error) from None
    message_2_size = len(message_2_bytes)
    out += (
        b"\x00",
        _ONE_BYTE[message_2_size] if message_2_size < 128 else _bare.long_uint(message_2_size),
        message_2_bytes,
    )


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


def _write_kv_get_response_tag_1(out: list[bytes], message: KvGetResponse) -> None:
    keys = message.keys
    if type(keys) is not list and type(keys) is not tuple:
        keys = _bare.sequence(keys, "KvGetResponse.keys")
    keys_count = len(keys)
    out += (b"\x01", _ONE_BYTE[keys_count] if keys_count < 128 else _bare.long_uint(keys_count))
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


def _write_kv_list_response_tag_2(out: list[bytes], message: KvListResponse) -> None:
    keys = message.keys
    if type(keys) is not list and type(keys) is not tuple:
        keys = _bare.sequence(keys, "KvListResponse.keys")
    keys_count = len(keys)
    out += (b"\x02", _ONE_BYTE[keys_count] if keys_count < 128 else _bare.long_uint(keys_count))
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


def _read_kv_put_response(buf: bytes, at: int, size: int) -> tuple[KvPutResponse, int]:
    return _KV_PUT_RESPONSE_VALUE, at


def _write_kv_put_response_tag_3(out: list[bytes], message: KvPutResponse) -> None:
    out.append(b"\x03")


def _read_kv_delete_response(buf: bytes, at: int, size: int) -> tuple[KvDeleteResponse, int]:
    return _KV_DELETE_RESPONSE_VALUE, at


def _write_kv_delete_response_tag_4(out: list[bytes], message: KvDeleteResponse) -> None:
    out.append(b"\x04")


def _read_kv_drop_response(buf: bytes, at: int, size: int) -> tuple[KvDropResponse, int]:
    return _KV_DROP_RESPONSE_VALUE, at


def _write_kv_drop_response_tag_5(out: list[bytes], message: KvDropResponse) -> None:
    out.append(b"\x05")


def _read_actor_intent_sleep(buf: bytes, at: int, size: int) -> tuple[ActorIntentSleep, int]:
    return _ACTOR_INTENT_SLEEP_VALUE, at


def _write_actor_intent_sleep_tag_0(out: list[bytes], message: ActorIntentSleep) -> None:
    out.append(b"\x00")


def _read_actor_intent_stop(buf: bytes, at: int, size: int) -> tuple[ActorIntentStop, int]:
    return _ACTOR_INTENT_STOP_VALUE, at


def _write_actor_intent_stop_tag_1(out: list[bytes], message: ActorIntentStop) -> None:
    out.append(b"\x01")


def _read_actor_state_running(buf: bytes, at: int, size: int) -> tuple[ActorStateRunning, int]:
    return _ACTOR_STATE_RUNNING_VALUE, at


def _write_actor_state_running_tag_0(out: list[bytes], message: ActorStateRunning) -> None:
    out.append(b"\x00")


def _read_actor_state_stopped(buf: bytes, at: int, size: int) -> tuple[ActorStateStopped, int]:
    if at + 2 > size:
        raise _bare.ends_early(at, size, ("ActorStateStopped.code", 1), ("ActorStateStopped.message", 1))
    code_number, message_given = _UNPACK_FROM_BB(buf, at)
    at += 2
    try:
        code = _STOP_CODE_VALUES[code_number]
    except LookupError:
        raise _bare.unknown_value("ActorStateStopped.code", "StopCode", code_number, at - 2) from None
    message_2: str | None = None
    if message_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ActorStateStopped.message", 1))
        message_value_size = buf[at]
        at += 1
        if message_value_size > 127:
            message_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ActorStateStopped.message")
        end = at + message_value_size
        if end > size:
            raise _bare.runs_past_end("ActorStateStopped.message", message_value_size, at, size)
        try:
            message_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text("ActorStateStopped.message", at, error) from None
        at = end
        message_2 = message_value
    elif message_given:
        raise _bare.bad_bool("ActorStateStopped.message", message_given, at - 1)
    return ActorStateStopped(code, message_2), at


def _write_actor_state_stopped_tag_1(out: list[bytes], message: ActorStateStopped) -> None:
    code = message.code
    if type(code) is not StopCode:
        code = _bare.enum_value(code, StopCode, "ActorStateStopped.code")
    message_2 = message.message
    packed = _PACK_BB(1, code)
    out.append(packed)
    if message_2 is None:
        out.append(b"\x00")
    else:
        if type(message_2) is not str:
            message_2 = _bare.text(message_2, "ActorStateStopped.message")
        try:
            message_2_bytes = message_2.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable("ActorStateStopped.message", error) from None
        message_2_size = len(message_2_bytes)
        out += (
            b"\x01",
            _ONE_BYTE[message_2_size] if message_2_size < 128 else _bare.long_uint(message_2_size),
            message_2_bytes,
        )


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
        read_intent = _ACTOR_INTENT_READERS[intent_tag]
    except LookupError:
        raise _bare.unknown_value("EventActorIntent.intent", "ActorIntent", intent_tag, at - 1) from None
    intent, at = read_intent(buf, at, size)
    return EventActorIntent(actor_id, generation, intent), at


def _write_event_actor_intent_tag_0(out: list[bytes], message: EventActorIntent) -> None:
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
        write_intent = _ACTOR_INTENT_WRITERS[type(intent)]
    except KeyError:
        raise _bare.wrong_type("EventActorIntent.intent", "a member of ActorIntent", intent) from None
    try:
        packed = _PACK_I(generation)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("EventActorIntent.generation", "u32", generation)) from None
    out += (
        b"\x00",
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
        read_state = _ACTOR_STATE_READERS[state_tag]
    except LookupError:
        raise _bare.unknown_value("EventActorStateUpdate.state", "ActorState", state_tag, at - 1) from None
    state, at = read_state(buf, at, size)
    return EventActorStateUpdate(actor_id, generation, state), at


def _write_event_actor_state_update_tag_1(out: list[bytes], message: EventActorStateUpdate) -> None:
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
        write_state = _ACTOR_STATE_WRITERS[type(state)]
    except KeyError:
        raise _bare.wrong_type("EventActorStateUpdate.state", "a member of ActorState", state) from None
    try:
        packed = _PACK_I(generation)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("EventActorStateUpdate.generation", "u32", generation)) from None
    out += (
        b"\x01",
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


def _write_event_actor_set_alarm_tag_2(out: list[bytes], message: EventActorSetAlarm) -> None:
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
        b"\x02",
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
        write_inner = _EVENT_WRITERS[type(inner)]
    except KeyError:
        raise _bare.wrong_type("EventWrapper.inner", "a member of Event", inner) from None
    try:
        packed = _PACK_q(index)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("EventWrapper.index", "i64", index)) from None
    out.append(packed)
    write_inner(out, inner)


def _read_actor_config(buf: bytes, at: int, size: int) -> tuple[ActorConfig, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ActorConfig.name", 1))
    name_size = buf[at]
    at += 1
    if name_size > 127:
        name_size, at = _bare.read_long_uint(buf, at - 1, size, "ActorConfig.name")
    end = at + name_size
    if end > size:
        raise _bare.runs_past_end("ActorConfig.name", name_size, at, size)
    try:
        name = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ActorConfig.name", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ActorConfig.key", 1))
    key_given = buf[at]
    at += 1
    key: str | None = None
    if key_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ActorConfig.key", 1))
        key_value_size = buf[at]
        at += 1
        if key_value_size > 127:
            key_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ActorConfig.key")
        end = at + key_value_size
        if end > size:
            raise _bare.runs_past_end("ActorConfig.key", key_value_size, at, size)
        try:
            key_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text("ActorConfig.key", at, error) from None
        at = end
        key = key_value
    elif key_given:
        raise _bare.bad_bool("ActorConfig.key", key_given, at - 1)
    if at + 9 > size:
        raise _bare.ends_early(at, size, ("ActorConfig.create_ts", 8), ("ActorConfig.input", 1))
    create_ts, input_given = _UNPACK_FROM_qB(buf, at)
    at += 9
    input_2: bytes | None = None
    if input_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ActorConfig.input", 1))
        input_value_size = buf[at]
        at += 1
        if input_value_size > 127:
            input_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ActorConfig.input")
        end = at + input_value_size
        if end > size:
            raise _bare.runs_past_end("ActorConfig.input", input_value_size, at, size)
        input_value = buf[at:end]
        at = end
        input_2 = input_value
    elif input_given:
        raise _bare.bad_bool("ActorConfig.input", input_given, at - 1)
    return ActorConfig(name, key, create_ts, input_2), at


def _write_actor_config(out: list[bytes], message: ActorConfig) -> None:
    name = message.name
    if type(name) is not str:
        name = _bare.text(name, "ActorConfig.name")
    try:
        name_bytes = name.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ActorConfig.name", error) from None
    name_size = len(name_bytes)
    key = message.key
    out += (_ONE_BYTE[name_size] if name_size < 128 else _bare.long_uint(name_size), name_bytes)
    if key is None:
        out.append(b"\x00")
    else:
        if type(key) is not str:
            key = _bare.text(key, "ActorConfig.key")
        try:
            key_bytes = key.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable("ActorConfig.key", error) from None
        key_size = len(key_bytes)
        out += (b"\x01", _ONE_BYTE[key_size] if key_size < 128 else _bare.long_uint(key_size), key_bytes)
    create_ts = message.create_ts
    if type(create_ts) is not int:
        create_ts = _bare.integer(create_ts, "ActorConfig.create_ts", "i64")
    input_2 = message.input
    try:
        packed = _PACK_q(create_ts)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ActorConfig.create_ts", "i64", create_ts)) from None
    out.append(packed)
    if input_2 is None:
        out.append(b"\x00")
    else:
        if type(input_2) is not bytes:
            input_2 = _bare.data(input_2, "ActorConfig.input")
        input_2_size = len(input_2)
        out += (
            b"\x01",
            _ONE_BYTE[input_2_size] if input_2_size < 128 else _bare.long_uint(input_2_size),
            input_2,
        )


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
    config, at = _read_actor_config(buf, at, size)
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


def _write_command_start_actor_tag_0(out: list[bytes], message: CommandStartActor) -> None:
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
        b"\x00",
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        packed,
    )
    _write_actor_config(out, config)
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


def _write_command_stop_actor_tag_1(out: list[bytes], message: CommandStopActor) -> None:
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
        b"\x01",
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
        write_inner = _COMMAND_WRITERS[type(inner)]
    except KeyError:
        raise _bare.wrong_type("CommandWrapper.inner", "a member of Command", inner) from None
    try:
        packed = _PACK_q(index)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("CommandWrapper.index", "i64", index)) from None
    out.append(packed)
    write_inner(out, inner)


def _read_deprecated_tunnel_ack(buf: bytes, at: int, size: int) -> tuple[DeprecatedTunnelAck, int]:
    return _DEPRECATED_TUNNEL_ACK_VALUE, at


def _write_deprecated_tunnel_ack_tag_0(out: list[bytes], message: DeprecatedTunnelAck) -> None:
    out.append(b"\x00")


def _read_to_server_response_start(buf: bytes, at: int, size: int) -> tuple[ToServerResponseStart, int]:
    if at + 3 > size:
        raise _bare.ends_early(
            at,
            size,
            ("ToServerResponseStart.status", 2),
            ("ToServerResponseStart.headers", 1),
        )
    status, headers_count = _UNPACK_FROM_HB(buf, at)
    at += 3
    if headers_count > 127:
        headers_count, at = _bare.read_long_uint(buf, at - 1, size, "ToServerResponseStart.headers")
    if headers_count * 2 > size - at:
        raise _bare.list_runs_past_end("ToServerResponseStart.headers", headers_count, 2, at, size)
    headers: dict[str, str] = {}
    for _ in range(headers_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"ToServerResponseStart.headers[{len(headers)}] key", 1))
        headers_key_size = buf[at]
        at += 1
        if headers_key_size > 127:
            headers_key_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"ToServerResponseStart.headers[{len(headers)}] key",
            )
        end = at + headers_key_size
        if end > size:
            raise _bare.runs_past_end(f"ToServerResponseStart.headers[{len(headers)}] key", headers_key_size, at, size)
        try:
            headers_key_2 = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text(f"ToServerResponseStart.headers[{len(headers)}] key", at, error) from None
        at = end
        headers_key = headers_key_2
        if headers_key in headers:
            raise _bare.repeated_key("ToServerResponseStart.headers", headers_key, at)
        if at >= size:
            raise _bare.ends_early(at, size, (f"ToServerResponseStart.headers[{len(headers)}] value", 1))
        headers_value_size = buf[at]
        at += 1
        if headers_value_size > 127:
            headers_value_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"ToServerResponseStart.headers[{len(headers)}] value",
            )
        end = at + headers_value_size
        if end > size:
            raise _bare.runs_past_end(f"ToServerResponseStart.headers[{len(headers)}] value", headers_value_size, at, size)
        try:
            headers_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text(f"ToServerResponseStart.headers[{len(headers)}] value", at, error) from None
        at = end
        headers[headers_key] = headers_value
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerResponseStart.body", 1))
    body_given = buf[at]
    at += 1
    body: bytes | None = None
    if body_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ToServerResponseStart.body", 1))
        body_value_size = buf[at]
        at += 1
        if body_value_size > 127:
            body_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ToServerResponseStart.body")
        end = at + body_value_size
        if end > size:
            raise _bare.runs_past_end("ToServerResponseStart.body", body_value_size, at, size)
        body_value = buf[at:end]
        at = end
        body = body_value
    elif body_given:
        raise _bare.bad_bool("ToServerResponseStart.body", body_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerResponseStart.stream", 1))
    stream = buf[at]
    at += 1
    if stream > 1:
        raise _bare.bad_bool("ToServerResponseStart.stream", stream, at - 1)
    return ToServerResponseStart(status, headers, body, stream == 1), at


def _write_to_server_response_start_tag_1(out: list[bytes], message: ToServerResponseStart) -> None:
    status = message.status
    if type(status) is not int:
        status = _bare.integer(status, "ToServerResponseStart.status", "u16")
    headers = message.headers
    if type(headers) is not dict:
        headers = _bare.mapping(headers, "ToServerResponseStart.headers")
    headers_count = len(headers)
    try:
        packed = _PACK_BH(1, status)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ToServerResponseStart.status", "u16", status)) from None
    out += (packed, _ONE_BYTE[headers_count] if headers_count < 128 else _bare.long_uint(headers_count))
    for headers_key, headers_value in headers.items():
        if type(headers_key) is not str:
            headers_key = _bare.text(headers_key, f"ToServerResponseStart.headers[{_bare.shown(headers_key)}] key")
        try:
            headers_key_bytes = headers_key.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable(f"ToServerResponseStart.headers[{_bare.shown(headers_key)}] key", error) from None
        headers_key_size = len(headers_key_bytes)
        if type(headers_value) is not str:
            headers_value = _bare.text(headers_value, f"ToServerResponseStart.headers[{_bare.shown(headers_key)}] value")
        try:
            headers_value_bytes = headers_value.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable(f"ToServerResponseStart.headers[{_bare.shown(headers_key)}] value", error) from None
        headers_value_size = len(headers_value_bytes)
        out += (
            _ONE_BYTE[headers_key_size] if headers_key_size < 128 else _bare.long_uint(headers_key_size),
            headers_key_bytes,
            _ONE_BYTE[headers_value_size] if headers_value_size < 128 else _bare.long_uint(headers_value_size),
            headers_value_bytes,
        )
    body = message.body
    if body is None:
        out.append(b"\x00")
    else:
        if type(body) is not bytes:
            body = _bare.data(body, "ToServerResponseStart.body")
        body_size = len(body)
        out += (b"\x01", _ONE_BYTE[body_size] if body_size < 128 else _bare.long_uint(body_size), body)
    stream = message.stream
    if stream is not True and stream is not False:
        raise _bare.boolean(stream, "ToServerResponseStart.stream")
    out.append(b"\x01" if stream else b"\x00")


def _read_to_server_response_chunk(buf: bytes, at: int, size: int) -> tuple[ToServerResponseChunk, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerResponseChunk.body", 1))
    body_size = buf[at]
    at += 1
    if body_size > 127:
        body_size, at = _bare.read_long_uint(buf, at - 1, size, "ToServerResponseChunk.body")
    end = at + body_size
    if end > size:
        raise _bare.runs_past_end("ToServerResponseChunk.body", body_size, at, size)
    body = buf[at:end]
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerResponseChunk.finish", 1))
    finish = buf[at]
    at += 1
    if finish > 1:
        raise _bare.bad_bool("ToServerResponseChunk.finish", finish, at - 1)
    return ToServerResponseChunk(body, finish == 1), at


def _write_to_server_response_chunk_tag_2(out: list[bytes], message: ToServerResponseChunk) -> None:
    body = message.body
    if type(body) is not bytes:
        body = _bare.data(body, "ToServerResponseChunk.body")
    body_size = len(body)
    finish = message.finish
    if finish is not True and finish is not False:
        raise _bare.boolean(finish, "ToServerResponseChunk.finish")
    out += (
        b"\x02",
        _ONE_BYTE[body_size] if body_size < 128 else _bare.long_uint(body_size),
        body,
        b"\x01" if finish else b"\x00",
    )


def _read_to_server_response_abort(buf: bytes, at: int, size: int) -> tuple[ToServerResponseAbort, int]:
    return _TO_SERVER_RESPONSE_ABORT_VALUE, at


def _write_to_server_response_abort_tag_3(out: list[bytes], message: ToServerResponseAbort) -> None:
    out.append(b"\x03")


def _read_to_server_web_socket_open(buf: bytes, at: int, size: int) -> tuple[ToServerWebSocketOpen, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketOpen.can_hibernate", 1))
    can_hibernate = buf[at]
    at += 1
    if can_hibernate > 1:
        raise _bare.bad_bool("ToServerWebSocketOpen.can_hibernate", can_hibernate, at - 1)
    return ToServerWebSocketOpen(can_hibernate == 1), at


def _write_to_server_web_socket_open_tag_4(out: list[bytes], message: ToServerWebSocketOpen) -> None:
    can_hibernate = message.can_hibernate
    if can_hibernate is not True and can_hibernate is not False:
        raise _bare.boolean(can_hibernate, "ToServerWebSocketOpen.can_hibernate")
    packed = _PACK_Bbool(4, can_hibernate)
    out.append(packed)


def _read_to_server_web_socket_message(buf: bytes, at: int, size: int) -> tuple[ToServerWebSocketMessage, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketMessage.data", 1))
    data_size = buf[at]
    at += 1
    if data_size > 127:
        data_size, at = _bare.read_long_uint(buf, at - 1, size, "ToServerWebSocketMessage.data")
    end = at + data_size
    if end > size:
        raise _bare.runs_past_end("ToServerWebSocketMessage.data", data_size, at, size)
    data = buf[at:end]
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketMessage.binary", 1))
    binary = buf[at]
    at += 1
    if binary > 1:
        raise _bare.bad_bool("ToServerWebSocketMessage.binary", binary, at - 1)
    return ToServerWebSocketMessage(data, binary == 1), at


def _write_to_server_web_socket_message_tag_5(out: list[bytes], message: ToServerWebSocketMessage) -> None:
    data = message.data
    if type(data) is not bytes:
        data = _bare.data(data, "ToServerWebSocketMessage.data")
    data_size = len(data)
    binary = message.binary
    if binary is not True and binary is not False:
        raise _bare.boolean(binary, "ToServerWebSocketMessage.binary")
    out += (
        b"\x05",
        _ONE_BYTE[data_size] if data_size < 128 else _bare.long_uint(data_size),
        data,
        b"\x01" if binary else b"\x00",
    )


def _read_to_server_web_socket_message_ack(buf: bytes, at: int, size: int) -> tuple[ToServerWebSocketMessageAck, int]:
    if at + 2 > size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketMessageAck.index", 2))
    (index,) = _UNPACK_FROM_H(buf, at)
    at += 2
    return ToServerWebSocketMessageAck(index), at


def _write_to_server_web_socket_message_ack_tag_6(out: list[bytes], message: ToServerWebSocketMessageAck) -> None:
    index = message.index
    if type(index) is not int:
        index = _bare.integer(index, "ToServerWebSocketMessageAck.index", "u16")
    try:
        packed = _PACK_BH(6, index)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ToServerWebSocketMessageAck.index", "u16", index)) from None
    out.append(packed)


def _read_to_server_web_socket_close(buf: bytes, at: int, size: int) -> tuple[ToServerWebSocketClose, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketClose.code", 1))
    code_given = buf[at]
    at += 1
    code: int | None = None
    if code_given == 1:
        if at + 2 > size:
            raise _bare.ends_early(at, size, ("ToServerWebSocketClose.code", 2))
        (code_value,) = _UNPACK_FROM_H(buf, at)
        at += 2
        code = code_value
    elif code_given:
        raise _bare.bad_bool("ToServerWebSocketClose.code", code_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketClose.reason", 1))
    reason_given = buf[at]
    at += 1
    reason: str | None = None
    if reason_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ToServerWebSocketClose.reason", 1))
        reason_value_size = buf[at]
        at += 1
        if reason_value_size > 127:
            reason_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ToServerWebSocketClose.reason")
        end = at + reason_value_size
        if end > size:
            raise _bare.runs_past_end("ToServerWebSocketClose.reason", reason_value_size, at, size)
        try:
            reason_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text("ToServerWebSocketClose.reason", at, error) from None
        at = end
        reason = reason_value
    elif reason_given:
        raise _bare.bad_bool("ToServerWebSocketClose.reason", reason_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToServerWebSocketClose.hibernate", 1))
    hibernate = buf[at]
    at += 1
    if hibernate > 1:
        raise _bare.bad_bool("ToServerWebSocketClose.hibernate", hibernate, at - 1)
    return ToServerWebSocketClose(code, reason, hibernate == 1), at


def _write_to_server_web_socket_close_tag_7(out: list[bytes], message: ToServerWebSocketClose) -> None:
    code = message.code
    out.append(b"\x07")
    if code is None:
        out.append(b"\x00")
    else:
        if type(code) is not int:
            code = _bare.integer(code, "ToServerWebSocketClose.code", "u16")
        try:
            packed = _PACK_BH(1, code)
        except _bare.PACK_ERRORS:
            raise _bare.out_of_range(("ToServerWebSocketClose.code", "u16", code)) from None
        out.append(packed)
    reason = message.reason
    if reason is None:
        out.append(b"\x00")
    else:
        if type(reason) is not str:
            reason = _bare.text(reason, "ToServerWebSocketClose.reason")
        try:
            reason_bytes = reason.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable("ToServerWebSocketClose.reason", error) from None
        reason_size = len(reason_bytes)
        out += (
            b"\x01",
            _ONE_BYTE[reason_size] if reason_size < 128 else _bare.long_uint(reason_size),
            reason_bytes,
        )
    hibernate = message.hibernate
    if hibernate is not True and hibernate is not False:
        raise _bare.boolean(hibernate, "ToServerWebSocketClose.hibernate")
    out.append(b"\x01" if hibernate else b"\x00")


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
        write_message_kind = _TO_SERVER_TUNNEL_MESSAGE_KIND_WRITERS[type(message_kind)]
    except KeyError:
        raise _bare.wrong_type("ToServerTunnelMessage.message_kind", "a member of ToServerTunnelMessageKind", message_kind) from None
    try:
        packed = _PACK_B4s4sH(6, message_id_gateway_id, message_id_request_id, message_id_message_index)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("MessageId.message_index", "u16", message_id_message_index)) from None
    out.append(packed)
    write_message_kind(out, message_kind)


def _read_to_client_request_start(buf: bytes, at: int, size: int) -> tuple[ToClientRequestStart, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestStart.actor_id", 1))
    actor_id_size = buf[at]
    at += 1
    if actor_id_size > 127:
        actor_id_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientRequestStart.actor_id")
    end = at + actor_id_size
    if end > size:
        raise _bare.runs_past_end("ToClientRequestStart.actor_id", actor_id_size, at, size)
    try:
        actor_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToClientRequestStart.actor_id", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestStart.method", 1))
    method_size = buf[at]
    at += 1
    if method_size > 127:
        method_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientRequestStart.method")
    end = at + method_size
    if end > size:
        raise _bare.runs_past_end("ToClientRequestStart.method", method_size, at, size)
    try:
        method = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToClientRequestStart.method", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestStart.path", 1))
    path_size = buf[at]
    at += 1
    if path_size > 127:
        path_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientRequestStart.path")
    end = at + path_size
    if end > size:
        raise _bare.runs_past_end("ToClientRequestStart.path", path_size, at, size)
    try:
        path = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToClientRequestStart.path", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestStart.headers", 1))
    headers_count = buf[at]
    at += 1
    if headers_count > 127:
        headers_count, at = _bare.read_long_uint(buf, at - 1, size, "ToClientRequestStart.headers")
    if headers_count * 2 > size - at:
        raise _bare.list_runs_past_end("ToClientRequestStart.headers", headers_count, 2, at, size)
    headers: dict[str, str] = {}
    for _ in range(headers_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"ToClientRequestStart.headers[{len(headers)}] key", 1))
        headers_key_size = buf[at]
        at += 1
        if headers_key_size > 127:
            headers_key_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"ToClientRequestStart.headers[{len(headers)}] key",
            )
        end = at + headers_key_size
        if end > size:
            raise _bare.runs_past_end(f"ToClientRequestStart.headers[{len(headers)}] key", headers_key_size, at, size)
        try:
            headers_key_2 = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text(f"ToClientRequestStart.headers[{len(headers)}] key", at, error) from None
        at = end
        headers_key = headers_key_2
        if headers_key in headers:
            raise _bare.repeated_key("ToClientRequestStart.headers", headers_key, at)
        if at >= size:
            raise _bare.ends_early(at, size, (f"ToClientRequestStart.headers[{len(headers)}] value", 1))
        headers_value_size = buf[at]
        at += 1
        if headers_value_size > 127:
            headers_value_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"ToClientRequestStart.headers[{len(headers)}] value",
            )
        end = at + headers_value_size
        if end > size:
            raise _bare.runs_past_end(f"ToClientRequestStart.headers[{len(headers)}] value", headers_value_size, at, size)
        try:
            headers_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text(f"ToClientRequestStart.headers[{len(headers)}] value", at, error) from None
        at = end
        headers[headers_key] = headers_value
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestStart.body", 1))
    body_given = buf[at]
    at += 1
    body: bytes | None = None
    if body_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ToClientRequestStart.body", 1))
        body_value_size = buf[at]
        at += 1
        if body_value_size > 127:
            body_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientRequestStart.body")
        end = at + body_value_size
        if end > size:
            raise _bare.runs_past_end("ToClientRequestStart.body", body_value_size, at, size)
        body_value = buf[at:end]
        at = end
        body = body_value
    elif body_given:
        raise _bare.bad_bool("ToClientRequestStart.body", body_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestStart.stream", 1))
    stream = buf[at]
    at += 1
    if stream > 1:
        raise _bare.bad_bool("ToClientRequestStart.stream", stream, at - 1)
    return ToClientRequestStart(actor_id, method, path, headers, body, stream == 1), at


def _write_to_client_request_start_tag_1(out: list[bytes], message: ToClientRequestStart) -> None:
    actor_id = message.actor_id
    if type(actor_id) is not str:
        actor_id = _bare.text(actor_id, "ToClientRequestStart.actor_id")
    try:
        actor_id_bytes = actor_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToClientRequestStart.actor_id", error) from None
    actor_id_size = len(actor_id_bytes)
    method = message.method
    if type(method) is not str:
        method = _bare.text(method, "ToClientRequestStart.method")
    try:
        method_bytes = method.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToClientRequestStart.method", error) from None
    method_size = len(method_bytes)
    path = message.path
    if type(path) is not str:
        path = _bare.text(path, "ToClientRequestStart.path")
    try:
        path_bytes = path.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToClientRequestStart.path", error) from None
    path_size = len(path_bytes)
    headers = message.headers
    if type(headers) is not dict:
        headers = _bare.mapping(headers, "ToClientRequestStart.headers")
    headers_count = len(headers)
    out += (
        b"\x01",
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        _ONE_BYTE[method_size] if method_size < 128 else _bare.long_uint(method_size),
        method_bytes,
        _ONE_BYTE[path_size] if path_size < 128 else _bare.long_uint(path_size),
        path_bytes,
        _ONE_BYTE[headers_count] if headers_count < 128 else _bare.long_uint(headers_count),
    )
    for headers_key, headers_value in headers.items():
        if type(headers_key) is not str:
            headers_key = _bare.text(headers_key, f"ToClientRequestStart.headers[{_bare.shown(headers_key)}] key")
        try:
            headers_key_bytes = headers_key.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable(f"ToClientRequestStart.headers[{_bare.shown(headers_key)}] key", error) from None
        headers_key_size = len(headers_key_bytes)
        if type(headers_value) is not str:
            headers_value = _bare.text(headers_value, f"ToClientRequestStart.headers[{_bare.shown(headers_key)}] value")
        try:
            headers_value_bytes = headers_value.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable(f"ToClientRequestStart.headers[{_bare.shown(headers_key)}] value", error) from None
        headers_value_size = len(headers_value_bytes)
        out += (
            _ONE_BYTE[headers_key_size] if headers_key_size < 128 else _bare.long_uint(headers_key_size),
            headers_key_bytes,
            _ONE_BYTE[headers_value_size] if headers_value_size < 128 else _bare.long_uint(headers_value_size),
            headers_value_bytes,
        )
    body = message.body
    if body is None:
        out.append(b"\x00")
    else:
        if type(body) is not bytes:
            body = _bare.data(body, "ToClientRequestStart.body")
        body_size = len(body)
        out += (b"\x01", _ONE_BYTE[body_size] if body_size < 128 else _bare.long_uint(body_size), body)
    stream = message.stream
    if stream is not True and stream is not False:
        raise _bare.boolean(stream, "ToClientRequestStart.stream")
    out.append(b"\x01" if stream else b"\x00")


def _read_to_client_request_chunk(buf: bytes, at: int, size: int) -> tuple[ToClientRequestChunk, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestChunk.body", 1))
    body_size = buf[at]
    at += 1
    if body_size > 127:
        body_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientRequestChunk.body")
    end = at + body_size
    if end > size:
        raise _bare.runs_past_end("ToClientRequestChunk.body", body_size, at, size)
    body = buf[at:end]
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientRequestChunk.finish", 1))
    finish = buf[at]
    at += 1
    if finish > 1:
        raise _bare.bad_bool("ToClientRequestChunk.finish", finish, at - 1)
    return ToClientRequestChunk(body, finish == 1), at


def _write_to_client_request_chunk_tag_2(out: list[bytes], message: ToClientRequestChunk) -> None:
    body = message.body
    if type(body) is not bytes:
        body = _bare.data(body, "ToClientRequestChunk.body")
    body_size = len(body)
    finish = message.finish
    if finish is not True and finish is not False:
        raise _bare.boolean(finish, "ToClientRequestChunk.finish")
    out += (
        b"\x02",
        _ONE_BYTE[body_size] if body_size < 128 else _bare.long_uint(body_size),
        body,
        b"\x01" if finish else b"\x00",
    )


def _read_to_client_request_abort(buf: bytes, at: int, size: int) -> tuple[ToClientRequestAbort, int]:
    return _TO_CLIENT_REQUEST_ABORT_VALUE, at


def _write_to_client_request_abort_tag_3(out: list[bytes], message: ToClientRequestAbort) -> None:
    out.append(b"\x03")


def _read_to_client_web_socket_open(buf: bytes, at: int, size: int) -> tuple[ToClientWebSocketOpen, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketOpen.actor_id", 1))
    actor_id_size = buf[at]
    at += 1
    if actor_id_size > 127:
        actor_id_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientWebSocketOpen.actor_id")
    end = at + actor_id_size
    if end > size:
        raise _bare.runs_past_end("ToClientWebSocketOpen.actor_id", actor_id_size, at, size)
    try:
        actor_id = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToClientWebSocketOpen.actor_id", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketOpen.path", 1))
    path_size = buf[at]
    at += 1
    if path_size > 127:
        path_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientWebSocketOpen.path")
    end = at + path_size
    if end > size:
        raise _bare.runs_past_end("ToClientWebSocketOpen.path", path_size, at, size)
    try:
        path = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ToClientWebSocketOpen.path", at, error) from None
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketOpen.headers", 1))
    headers_count = buf[at]
    at += 1
    if headers_count > 127:
        headers_count, at = _bare.read_long_uint(buf, at - 1, size, "ToClientWebSocketOpen.headers")
    if headers_count * 2 > size - at:
        raise _bare.list_runs_past_end("ToClientWebSocketOpen.headers", headers_count, 2, at, size)
    headers: dict[str, str] = {}
    for _ in range(headers_count):
        if at >= size:
            raise _bare.ends_early(at, size, (f"ToClientWebSocketOpen.headers[{len(headers)}] key", 1))
        headers_key_size = buf[at]
        at += 1
        if headers_key_size > 127:
            headers_key_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"ToClientWebSocketOpen.headers[{len(headers)}] key",
            )
        end = at + headers_key_size
        if end > size:
            raise _bare.runs_past_end(f"ToClientWebSocketOpen.headers[{len(headers)}] key", headers_key_size, at, size)
        try:
            headers_key_2 = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text(f"ToClientWebSocketOpen.headers[{len(headers)}] key", at, error) from None
        at = end
        headers_key = headers_key_2
        if headers_key in headers:
            raise _bare.repeated_key("ToClientWebSocketOpen.headers", headers_key, at)
        if at >= size:
            raise _bare.ends_early(at, size, (f"ToClientWebSocketOpen.headers[{len(headers)}] value", 1))
        headers_value_size = buf[at]
        at += 1
        if headers_value_size > 127:
            headers_value_size, at = _bare.read_long_uint(
                buf,
                at - 1,
                size,
                f"ToClientWebSocketOpen.headers[{len(headers)}] value",
            )
        end = at + headers_value_size
        if end > size:
            raise _bare.runs_past_end(f"ToClientWebSocketOpen.headers[{len(headers)}] value", headers_value_size, at, size)
        try:
            headers_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text(f"ToClientWebSocketOpen.headers[{len(headers)}] value", at, error) from None
        at = end
        headers[headers_key] = headers_value
    return ToClientWebSocketOpen(actor_id, path, headers), at


def _write_to_client_web_socket_open_tag_4(out: list[bytes], message: ToClientWebSocketOpen) -> None:
    actor_id = message.actor_id
    if type(actor_id) is not str:
        actor_id = _bare.text(actor_id, "ToClientWebSocketOpen.actor_id")
    try:
        actor_id_bytes = actor_id.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToClientWebSocketOpen.actor_id", error) from None
    actor_id_size = len(actor_id_bytes)
    path = message.path
    if type(path) is not str:
        path = _bare.text(path, "ToClientWebSocketOpen.path")
    try:
        path_bytes = path.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ToClientWebSocketOpen.path", error) from None
    path_size = len(path_bytes)
    headers = message.headers
    if type(headers) is not dict:
        headers = _bare.mapping(headers, "ToClientWebSocketOpen.headers")
    headers_count = len(headers)
    out += (
        b"\x04",
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        _ONE_BYTE[path_size] if path_size < 128 else _bare.long_uint(path_size),
        path_bytes,
        _ONE_BYTE[headers_count] if headers_count < 128 else _bare.long_uint(headers_count),
    )
    for headers_key, headers_value in headers.items():
        if type(headers_key) is not str:
            headers_key = _bare.text(headers_key, f"ToClientWebSocketOpen.headers[{_bare.shown(headers_key)}] key")
        try:
            headers_key_bytes = headers_key.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable(f"ToClientWebSocketOpen.headers[{_bare.shown(headers_key)}] key", error) from None
        headers_key_size = len(headers_key_bytes)
        if type(headers_value) is not str:
            headers_value = _bare.text(headers_value, f"ToClientWebSocketOpen.headers[{_bare.shown(headers_key)}] value")
        try:
            headers_value_bytes = headers_value.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable(f"ToClientWebSocketOpen.headers[{_bare.shown(headers_key)}] value", error) from None
        headers_value_size = len(headers_value_bytes)
        out += (
            _ONE_BYTE[headers_key_size] if headers_key_size < 128 else _bare.long_uint(headers_key_size),
            headers_key_bytes,
            _ONE_BYTE[headers_value_size] if headers_value_size < 128 else _bare.long_uint(headers_value_size),
            headers_value_bytes,
        )


def _read_to_client_web_socket_message(buf: bytes, at: int, size: int) -> tuple[ToClientWebSocketMessage, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketMessage.data", 1))
    data_size = buf[at]
    at += 1
    if data_size > 127:
        data_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientWebSocketMessage.data")
    end = at + data_size
    if end > size:
        raise _bare.runs_past_end("ToClientWebSocketMessage.data", data_size, at, size)
    data = buf[at:end]
    at = end
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketMessage.binary", 1))
    binary = buf[at]
    at += 1
    if binary > 1:
        raise _bare.bad_bool("ToClientWebSocketMessage.binary", binary, at - 1)
    return ToClientWebSocketMessage(data, binary == 1), at


def _write_to_client_web_socket_message_tag_5(out: list[bytes], message: ToClientWebSocketMessage) -> None:
    data = message.data
    if type(data) is not bytes:
        data = _bare.data(data, "ToClientWebSocketMessage.data")
    data_size = len(data)
    binary = message.binary
    if binary is not True and binary is not False:
        raise _bare.boolean(binary, "ToClientWebSocketMessage.binary")
    out += (
        b"\x05",
        _ONE_BYTE[data_size] if data_size < 128 else _bare.long_uint(data_size),
        data,
        b"\x01" if binary else b"\x00",
    )


def _read_to_client_web_socket_close(buf: bytes, at: int, size: int) -> tuple[ToClientWebSocketClose, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketClose.code", 1))
    code_given = buf[at]
    at += 1
    code: int | None = None
    if code_given == 1:
        if at + 2 > size:
            raise _bare.ends_early(at, size, ("ToClientWebSocketClose.code", 2))
        (code_value,) = _UNPACK_FROM_H(buf, at)
        at += 2
        code = code_value
    elif code_given:
        raise _bare.bad_bool("ToClientWebSocketClose.code", code_given, at - 1)
    if at >= size:
        raise _bare.ends_early(at, size, ("ToClientWebSocketClose.reason", 1))
    reason_given = buf[at]
    at += 1
    reason: str | None = None
    if reason_given == 1:
        if at >= size:
            raise _bare.ends_early(at, size, ("ToClientWebSocketClose.reason", 1))
        reason_value_size = buf[at]
        at += 1
        if reason_value_size > 127:
            reason_value_size, at = _bare.read_long_uint(buf, at - 1, size, "ToClientWebSocketClose.reason")
        end = at + reason_value_size
        if end > size:
            raise _bare.runs_past_end("ToClientWebSocketClose.reason", reason_value_size, at, size)
        try:
            reason_value = buf[at:end].decode()
        except UnicodeDecodeError as error:
            raise _bare.bad_text("ToClientWebSocketClose.reason", at, error) from None
        at = end
        reason = reason_value
    elif reason_given:
        raise _bare.bad_bool("ToClientWebSocketClose.reason", reason_given, at - 1)
    return ToClientWebSocketClose(code, reason), at


def _write_to_client_web_socket_close_tag_6(out: list[bytes], message: ToClientWebSocketClose) -> None:
    code = message.code
    out.append(b"\x06")
    if code is None:
        out.append(b"\x00")
    else:
        if type(code) is not int:
            code = _bare.integer(code, "ToClientWebSocketClose.code", "u16")
        try:
            packed = _PACK_BH(1, code)
        except _bare.PACK_ERRORS:
            raise _bare.out_of_range(("ToClientWebSocketClose.code", "u16", code)) from None
        out.append(packed)
    reason = message.reason
    if reason is None:
        out.append(b"\x00")
    else:
        if type(reason) is not str:
            reason = _bare.text(reason, "ToClientWebSocketClose.reason")
        try:
            reason_bytes = reason.encode()
        except UnicodeEncodeError as error:
            raise _bare.not_encodable("ToClientWebSocketClose.reason", error) from None
        reason_size = len(reason_bytes)
        out += (
            b"\x01",
            _ONE_BYTE[reason_size] if reason_size < 128 else _bare.long_uint(reason_size),
            reason_bytes,
        )


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
        write_message_kind = _TO_CLIENT_TUNNEL_MESSAGE_KIND_WRITERS[type(message_kind)]
    except KeyError:
        raise _bare.wrong_type("ToClientTunnelMessage.message_kind", "a member of ToClientTunnelMessageKind", message_kind) from None
    try:
        packed = _PACK_B4s4sH(5, message_id_gateway_id, message_id_request_id, message_id_message_index)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("MessageId.message_index", "u16", message_id_message_index)) from None
    out.append(packed)
    write_message_kind(out, message_kind)


def _read_actor_name(buf: bytes, at: int, size: int) -> tuple[ActorName, int]:
    if at >= size:
        raise _bare.ends_early(at, size, ("ActorName.metadata", 1))
    metadata_size = buf[at]
    at += 1
    if metadata_size > 127:
        metadata_size, at = _bare.read_long_uint(buf, at - 1, size, "ActorName.metadata")
    end = at + metadata_size
    if end > size:
        raise _bare.runs_past_end("ActorName.metadata", metadata_size, at, size)
    try:
        metadata = buf[at:end].decode()
    except UnicodeDecodeError as error:
        raise _bare.bad_text("ActorName.metadata", at, error) from None
    at = end
    return ActorName(metadata), at


def _write_actor_name(out: list[bytes], message: ActorName) -> None:
    metadata = message.metadata
    if type(metadata) is not str:
        metadata = _bare.text(metadata, "ActorName.metadata")
    try:
        metadata_bytes = metadata.encode()
    except UnicodeEncodeError as error:
        raise _bare.not_encodable("ActorName.metadata", error) from None
    metadata_size = len(metadata_bytes)
    out += (
        _ONE_BYTE[metadata_size] if metadata_size < 128 else _bare.long_uint(metadata_size),
        metadata_bytes,
    )


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
            prepopulate_actor_names_value_value, at = _read_actor_name(buf, at, size)
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
            _write_actor_name(out, prepopulate_actor_names_value)
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


def _read_to_server_stopping(buf: bytes, at: int, size: int) -> tuple[ToServerStopping, int]:
    return _TO_SERVER_STOPPING_VALUE, at


def _write_to_server_stopping_tag_3(out: list[bytes], message: ToServerStopping) -> None:
    out.append(b"\x03")


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
        write_data = _KV_REQUEST_DATA_WRITERS[type(data)]
    except KeyError:
        raise _bare.wrong_type("ToServerKvRequest.data", "a member of KvRequestData", data) from None
    try:
        packed = _PACK_I(request_id)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ToServerKvRequest.request_id", "u32", request_id)) from None
    out += (
        b"\x05",
        _ONE_BYTE[actor_id_size] if actor_id_size < 128 else _bare.long_uint(actor_id_size),
        actor_id_bytes,
        packed,
    )
    write_data(out, data)


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
        write_data = _KV_RESPONSE_DATA_WRITERS[type(data)]
    except KeyError:
        raise _bare.wrong_type("ToClientKvResponse.data", "a member of KvResponseData", data) from None
    try:
        packed = _PACK_BI(4, request_id)
    except _bare.PACK_ERRORS:
        raise _bare.out_of_range(("ToClientKvResponse.request_id", "u32", request_id)) from None
    out.append(packed)
    write_data(out, data)


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


_KV_LIST_QUERY_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[KvListQuery, int]], ...]] = (
    _read_kv_list_all_query,
    _read_kv_list_range_query,
    _read_kv_list_prefix_query,
)
_KV_LIST_QUERY_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    KvListAllQuery: _write_kv_list_all_query_tag_0,
    KvListRangeQuery: _write_kv_list_range_query_tag_1,
    KvListPrefixQuery: _write_kv_list_prefix_query_tag_2,
}


_KV_REQUEST_DATA_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[KvRequestData, int]], ...]] = (
    _read_kv_get_request,
    _read_kv_list_request,
    _read_kv_put_request,
    _read_kv_delete_request,
    _read_kv_drop_request,
)
_KV_REQUEST_DATA_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    KvGetRequest: _write_kv_get_request_tag_0,
    KvListRequest: _write_kv_list_request_tag_1,
    KvPutRequest: _write_kv_put_request_tag_2,
    KvDeleteRequest: _write_kv_delete_request_tag_3,
    KvDropRequest: _write_kv_drop_request_tag_4,
}


_KV_RESPONSE_DATA_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[KvResponseData, int]], ...]] = (
    _read_kv_error_response,
    _read_kv_get_response,
    _read_kv_list_response,
    _read_kv_put_response,
    _read_kv_delete_response,
    _read_kv_drop_response,
)
_KV_RESPONSE_DATA_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    KvErrorResponse: _write_kv_error_response_tag_0,
    KvGetResponse: _write_kv_get_response_tag_1,
    KvListResponse: _write_kv_list_response_tag_2,
    KvPutResponse: _write_kv_put_response_tag_3,
    KvDeleteResponse: _write_kv_delete_response_tag_4,
    KvDropResponse: _write_kv_drop_response_tag_5,
}


_ACTOR_INTENT_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ActorIntent, int]], ...]] = (
    _read_actor_intent_sleep,
    _read_actor_intent_stop,
)
_ACTOR_INTENT_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    ActorIntentSleep: _write_actor_intent_sleep_tag_0,
    ActorIntentStop: _write_actor_intent_stop_tag_1,
}


_ACTOR_STATE_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ActorState, int]], ...]] = (
    _read_actor_state_running,
    _read_actor_state_stopped,
)
_ACTOR_STATE_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    ActorStateRunning: _write_actor_state_running_tag_0,
    ActorStateStopped: _write_actor_state_stopped_tag_1,
}


_EVENT_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[Event, int]], ...]] = (
    _read_event_actor_intent,
    _read_event_actor_state_update,
    _read_event_actor_set_alarm,
)
_EVENT_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    EventActorIntent: _write_event_actor_intent_tag_0,
    EventActorStateUpdate: _write_event_actor_state_update_tag_1,
    EventActorSetAlarm: _write_event_actor_set_alarm_tag_2,
}


_COMMAND_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[Command, int]], ...]] = (
    _read_command_start_actor,
    _read_command_stop_actor,
)
_COMMAND_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    CommandStartActor: _write_command_start_actor_tag_0,
    CommandStopActor: _write_command_stop_actor_tag_1,
}


_TO_SERVER_TUNNEL_MESSAGE_KIND_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ToServerTunnelMessageKind, int]], ...]] = (
    _read_deprecated_tunnel_ack,
    _read_to_server_response_start,
    _read_to_server_response_chunk,
    _read_to_server_response_abort,
    _read_to_server_web_socket_open,
    _read_to_server_web_socket_message,
    _read_to_server_web_socket_message_ack,
    _read_to_server_web_socket_close,
)
_TO_SERVER_TUNNEL_MESSAGE_KIND_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    DeprecatedTunnelAck: _write_deprecated_tunnel_ack_tag_0,
    ToServerResponseStart: _write_to_server_response_start_tag_1,
    ToServerResponseChunk: _write_to_server_response_chunk_tag_2,
    ToServerResponseAbort: _write_to_server_response_abort_tag_3,
    ToServerWebSocketOpen: _write_to_server_web_socket_open_tag_4,
    ToServerWebSocketMessage: _write_to_server_web_socket_message_tag_5,
    ToServerWebSocketMessageAck: _write_to_server_web_socket_message_ack_tag_6,
    ToServerWebSocketClose: _write_to_server_web_socket_close_tag_7,
}


_TO_CLIENT_TUNNEL_MESSAGE_KIND_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ToClientTunnelMessageKind, int]], ...]] = (
    _read_deprecated_tunnel_ack,
    _read_to_client_request_start,
    _read_to_client_request_chunk,
    _read_to_client_request_abort,
    _read_to_client_web_socket_open,
    _read_to_client_web_socket_message,
    _read_to_client_web_socket_close,
)
_TO_CLIENT_TUNNEL_MESSAGE_KIND_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    DeprecatedTunnelAck: _write_deprecated_tunnel_ack_tag_0,
    ToClientRequestStart: _write_to_client_request_start_tag_1,
    ToClientRequestChunk: _write_to_client_request_chunk_tag_2,
    ToClientRequestAbort: _write_to_client_request_abort_tag_3,
    ToClientWebSocketOpen: _write_to_client_web_socket_open_tag_4,
    ToClientWebSocketMessage: _write_to_client_web_socket_message_tag_5,
    ToClientWebSocketClose: _write_to_client_web_socket_close_tag_6,
}


_TO_SERVER_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ToServer, int]], ...]] = (
    _read_to_server_init,
    _read_to_server_events,
    _read_to_server_ack_commands,
    _read_to_server_stopping,
    _read_to_server_ping,
    _read_to_server_kv_request,
    _read_to_server_tunnel_message,
)
_TO_SERVER_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    ToServerInit: _write_to_server_init_tag_0,
    ToServerEvents: _write_to_server_events_tag_1,
    ToServerAckCommands: _write_to_server_ack_commands_tag_2,
    ToServerStopping: _write_to_server_stopping_tag_3,
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


_TO_SERVERLESS_SERVER_READERS: typing.Final[tuple[collections.abc.Callable[[bytes, int, int], tuple[ToServerlessServer, int]], ...]] = (
    _read_to_serverless_server_init,
)
_TO_SERVERLESS_SERVER_WRITERS: typing.Final[dict[type, collections.abc.Callable[[list[bytes], typing.Any], None]]] = {
    ToServerlessServerInit: _write_to_serverless_server_init_tag_0,
}


def encode_to_server(message: ToServer) -> bytes:
    """Encode one message; raises ``TypeError`` or ``ValueError`` that names the field."""
    out: list[bytes] = []
    try:
        write_value = _TO_SERVER_WRITERS[type(message)]
    except KeyError:
        raise _bare.wrong_type("ToServer", "a member of ToServer", message) from None
    write_value(out, message)
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
        write_value = _TO_CLIENT_WRITERS[type(message)]
    except KeyError:
        raise _bare.wrong_type("ToClient", "a member of ToClient", message) from None
    write_value(out, message)
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


def encode_to_serverless_server(message: ToServerlessServer) -> bytes:
    """Encode one message; raises ``TypeError`` or ``ValueError`` that names the field."""
    out: list[bytes] = []
    try:
        write_value = _TO_SERVERLESS_SERVER_WRITERS[type(message)]
    except KeyError:
        raise _bare.wrong_type("ToServerlessServer", "a member of ToServerlessServer", message) from None
    write_value(out, message)
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
