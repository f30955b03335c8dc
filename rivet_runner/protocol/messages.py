# This file is generated from the schemas in protocol by protocol/generate.py: change the schema, and generate again.
# mypy: no-warn-unreachable
# ruff: noqa: E501
"""The messages that mean the same in every version of the protocol that has them: one class for all versions.

Code that imports its messages from here names no version. A union has the members of all versions; the module
of a version says which of them it has, and refuses to encode the others with a ``TypeError``.
"""

from __future__ import annotations

import collections.abc
import enum
import typing

import msgspec

__all__ = [
    "ActorCheckpoint",
    "ActorConfig",
    "ActorIntent",
    "ActorIntentSleep",
    "ActorIntentStop",
    "ActorName",
    "ActorState",
    "ActorStateRunning",
    "ActorStateStopped",
    "DeprecatedTunnelAck",
    "GatewayId",
    "HibernatingRequest",
    "Id",
    "Json",
    "KvDeleteRangeRequest",
    "KvDeleteRequest",
    "KvDeleteResponse",
    "KvDropRequest",
    "KvDropResponse",
    "KvErrorResponse",
    "KvGetRequest",
    "KvListAllQuery",
    "KvListPrefixQuery",
    "KvListQuery",
    "KvListRangeQuery",
    "KvListRequest",
    "KvPutRequest",
    "KvPutResponse",
    "KvRequestData",
    "MessageId",
    "MessageIndex",
    "RequestId",
    "StopCode",
    "ToClientClose",
    "ToClientPing",
    "ToClientRequestAbort",
    "ToClientRequestChunk",
    "ToClientRequestStart",
    "ToClientTunnelMessage",
    "ToClientTunnelMessageKind",
    "ToClientWebSocketClose",
    "ToClientWebSocketMessage",
    "ToClientWebSocketOpen",
    "ToServerKvRequest",
    "ToServerPing",
    "ToServerPong",
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
]


class KvGetRequest(msgspec.Struct, frozen=True, gc=False):
    """Asks for the values of these keys. The answer holds only those that exist, in this order."""

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


class KvErrorResponse(msgspec.Struct, frozen=True, gc=False):
    """The request was refused."""

    message: str


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
    """The way in which an actor stopped: as it should, or by an error."""

    OK = 0
    ERROR = 1


class ActorStateRunning(msgspec.Struct, frozen=True, gc=False):
    """The actor has started."""


class ActorStateStopped(msgspec.Struct, frozen=True, gc=False):
    """The actor is gone from this runner."""

    code: StopCode
    message: str | None


class HibernatingRequest(msgspec.Struct, frozen=True, gc=False):
    """A WebSocket that stayed open while its actor slept."""

    gateway_id: GatewayId
    request_id: RequestId


class ActorConfig(msgspec.Struct, frozen=True, gc=False):
    """The parameters of a start."""

    name: str
    key: str | None
    # Milliseconds since the epoch.
    create_ts: int
    input: bytes | None


class MessageId(msgspec.Struct, frozen=True, gc=False):
    """The request or WebSocket, and the place of the message in it."""

    gateway_id: GatewayId
    request_id: RequestId
    message_index: MessageIndex


class ToServerResponseStart(msgspec.Struct, frozen=True, gc=False):
    """An HTTP response: whole, or its beginning if stream is set."""

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
    """The runner closes the WebSocket, or lets go of it if hibernate is set."""

    code: int | None
    reason: str | None
    # Keep the client connected; the actor is going to sleep.
    hibernate: bool


class ToServerTunnelMessage(msgspec.Struct, frozen=True, gc=False):
    """A message to a client of an actor, through the gateway."""

    message_id: MessageId
    message_kind: ToServerTunnelMessageKind


class ToClientRequestStart(msgspec.Struct, frozen=True, gc=False):
    """An HTTP request: whole, or its beginning if stream is set."""

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


class ToServerStopping(msgspec.Struct, frozen=True, gc=False):
    """The runner is draining: no new actors, please."""


class ToServerKvRequest(msgspec.Struct, frozen=True, gc=False):
    """A key-value call of one actor."""

    actor_id: Id
    # The runner's own number, which the answer repeats.
    request_id: int
    data: KvRequestData


class DeprecatedTunnelAck(msgspec.Struct, frozen=True, gc=False):
    """No longer sent; kept because it holds tag 0 in both directions."""


class ToServerPing(msgspec.Struct, frozen=True, gc=False):
    """The runner is alive. The engine does not ask for it."""

    # Milliseconds since the epoch.
    ts: int


class ToClientClose(msgspec.Struct, frozen=True, gc=False):
    """The runner is to close the connection."""


class ActorCheckpoint(msgspec.Struct, frozen=True, gc=False):
    """An actor's generation, and a place in its sequence of events or of commands. Both sequences start at 0."""

    actor_id: Id
    generation: int
    index: int


class KvDeleteRangeRequest(msgspec.Struct, frozen=True, gc=False):
    """Removes the keys from start to before end. The answer is a KvDeleteResponse."""

    start: bytes
    end: bytes


class ToServerPong(msgspec.Struct, frozen=True, gc=False):
    """The answer to a ToClientPing."""

    # That of the ping.
    ts: int


class ToClientPing(msgspec.Struct, frozen=True, gc=False):
    """Asks whether the runner is alive. The engine closes the connection of one that does not answer."""

    # Milliseconds since the epoch.
    ts: int


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

# The keys to list.
KvListQuery: typing.TypeAlias = KvListAllQuery | KvListRangeQuery | KvListPrefixQuery

# The intent of an actor.
ActorIntent: typing.TypeAlias = ActorIntentSleep | ActorIntentStop

# The state of an actor.
ActorState: typing.TypeAlias = ActorStateRunning | ActorStateStopped

# A request to the key-value store.
KvRequestData: typing.TypeAlias = (
    KvGetRequest
    | KvListRequest
    | KvPutRequest
    | KvDeleteRequest
    | KvDropRequest
    | KvDeleteRangeRequest
)

# A message of a runner within one tunnelled request.
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

# A message of a gateway within one tunnelled request.
ToClientTunnelMessageKind: typing.TypeAlias = (
    DeprecatedTunnelAck
    | ToClientRequestStart
    | ToClientRequestChunk
    | ToClientRequestAbort
    | ToClientWebSocketOpen
    | ToClientWebSocketMessage
    | ToClientWebSocketClose
)
