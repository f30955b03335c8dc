"""The WebSocket ``/connect`` of one client: it subscribes to events, and calls actions that run side by side.

::

    a fresh open ──► before_connect ──► on_connect ──► Init ──┐
    a restored one: its record is known already ─────────────┼──► messages ──► on_disconnect, unless it hibernates
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final

from rivet_runner.actors._hosting.calls import ACKNOWLEDGED_AFTER, REPEATED_ACKNOWLEDGED_AFTER, Call, Calls
from rivet_runner.actors._hosting.connections import HostedConnection
from rivet_runner.actors._hosting.generation import TypedGeneration
from rivet_runner.actors._hosting.offers import offered_codec, offered_params
from rivet_runner.actors._hosting.refusals import Refusal, cut_off
from rivet_runner.actors._hosting.restoring import restored_connection
from rivet_runner.actors._hosting.unprocessed import ENDED, UnprocessedMessages
from rivet_runner.actors._wire.encodings import Codec
from rivet_runner.actors._wire.messages import ActionRequest, ActionResponse, Init, SubscriptionRequest, ToClient
from rivet_runner.errors import DecodeError, WebSocketClosed
from rivet_runner.websocket import WebSocket

__all__ = ["converse"]

UNSUPPORTED_ENCODING: Final = (1003, "actor.unsupported_websocket_encoding")
TOO_LONG: Final = (1011, "message.incoming_too_long")
GARBAGE: Final = (1011, "actor.invalid_request")
TOO_MANY_SUBSCRIPTIONS: Final = (1011, "actor.too_many_subscriptions")

REPEATING_SECONDS: Final = 3.0
"""From a start, in which the gateway repeats what was not acknowledged."""

MAX_SUBSCRIPTIONS: Final = 128
MAX_SUBSCRIBED_BYTES: Final = 8 * 1024
"""Of all names together, so that the record of a connection has room for its state."""


async def converse(generation: TypedGeneration, ws: WebSocket) -> None:
    """Serve one client, from its open or its return from hibernation to its end."""
    connection = await _connection(generation, ws)
    if connection is None:
        return
    connection.task = asyncio.current_task()
    connections = generation.connection_table
    try:
        await _receive(generation, connection, ws)
    finally:
        connections.remove(connection)
    if ws.close_code is not None or not ws.hibernatable:
        await generation.disconnected(connection)


# Opening


async def _connection(generation: TypedGeneration, ws: WebSocket) -> HostedConnection | None:
    """The connection of a client whose messages are to be received, or `None` if there will be none."""
    if not ws.restored or not ws.attachment:
        # Without a record, the actor slept or died before it had accepted the client, and all of its messages come again.
        return await _accepted(generation, ws)
    connection = generation.connection_table.restored.pop(ws, None)
    if connection is None:
        # The engine did not list it.
        connection = restored_connection(generation.kind, generation.connection_table, ws)
    if ws.close_code is not None:  # it left while the actor slept
        await generation.disconnected(connection)
        return None
    return connection


async def _accepted(generation: TypedGeneration, ws: WebSocket) -> HostedConnection | None:
    """Let the actor accept a client, or close it."""
    try:
        encoding = offered_codec(ws)
    except DecodeError:
        await ws.close(*UNSUPPORTED_ENCODING)
        return None
    try:
        return await _connect(generation, ws, encoding)
    except WebSocketClosed:
        raise
    except Exception as error:
        told = generation.error_for(error)
        await ws.send(encoding.encode_to_client(told))
        await ws.close(1011, f"{told.group}.{told.code}")
        return None


async def _connect(generation: TypedGeneration, ws: WebSocket, encoding: Codec) -> HostedConnection:
    """Call the hooks and send ``Init``. Raises an error for the caller, and then the connection does not exist."""
    params = offered_params(generation.kind, ws)
    state = await generation.guard(params, ws.request)
    connections = generation.connection_table
    connection = HostedConnection(connections, encoding, ws, params, state, connections.now_ms())
    ws.auto_processed = False
    try:
        connection.write_record()
    except (TypeError, ValueError) as error:
        raise generation.for_caller(error, "before_connect") from error
    connections.add(connection)
    try:
        await _call_on_connect(generation, connection)
        await ws.send(encoding.encode_to_client(Init(generation.actor.id, connection.id)))
    except BaseException:
        connections.remove(connection)
        raise
    return connection


async def _call_on_connect(generation: TypedGeneration, connection: HostedConnection) -> None:
    try:
        await generation.calls.run_hook(generation.instance.on_connect(connection), "on_connect")
    except WebSocketClosed:
        raise
    except Exception as error:
        raise generation.for_caller(error, "on_connect") from error
    finally:
        generation.saving.soon()


# Receiving


async def _receive(generation: TypedGeneration, connection: HostedConnection, ws: WebSocket) -> None:
    """Work on the client's messages until there are no more."""
    limit, decode = generation.kind.max_incoming, connection.codec.decode_to_server
    hibernatable = ws.hibernatable
    async for data in ws:
        if generation.is_stopping:
            if not hibernatable:
                break
            continue  # it is not marked as processed, so it comes again after the sleep
        if len(data) > limit or (len(data) * 4 > limit and isinstance(data, str) and len(data.encode()) > limit):
            await ws.close(*TOO_LONG)
            break
        try:
            message = decode(data)
        except DecodeError as error:
            generation.actor.log.warning("a client sent a message that cannot be read: %s", error)
            await ws.close(*GARBAGE)
            break
        if type(message) is ActionRequest:
            wait = _begin_call(generation, connection, message, hibernatable=hibernatable)
            if wait is not None:
                await wait
        elif type(message) is SubscriptionRequest and not _change_subscription(generation, connection, message):
            await ws.close(*TOO_MANY_SUBSCRIPTIONS)
            break


def _change_subscription(generation: TypedGeneration, connection: HostedConnection, request: SubscriptionRequest) -> bool:
    """Return false if the connection has too many already."""
    connections, names = generation.connection_table, connection.subscriptions or set()
    if not request.subscribe:
        connections.unsubscribe(connection, request.event_name)
    elif request.event_name not in names:
        size = sum(len(name.encode()) for name in (*names, request.event_name))
        if len(names) >= MAX_SUBSCRIPTIONS or size > MAX_SUBSCRIBED_BYTES:
            return False
        connections.subscribe(connection, request.event_name)
    if connection.hibernatable:
        connections.received(connection, ENDED).note_end()
        generation.saving.soon()
    return True


def _begin_call(
    generation: TypedGeneration, connection: HostedConnection, request: ActionRequest, *, hibernatable: bool
) -> Coroutine[Any, Any, None] | None:
    """Let the action begin. Return what to wait for if too many are under way."""
    calls = generation.calls
    if not hibernatable:
        calls.begin(_call(generation, connection, Call(), request))
        return calls.room() if calls.full else None
    assert connection.ws is not None
    repeated = connection.ws.restored and _may_repeat(generation)
    call = Call(REPEATED_ACKNOWLEDGED_AFTER if repeated else ACKNOWLEDGED_AFTER)
    unprocessed = call.messages = generation.connection_table.received(connection, call)
    calls.begin(_call(generation, connection, call, request))
    if unprocessed.hurries():
        generation.saving.hurry()
    if unprocessed.full or calls.full:
        return _room(unprocessed, calls)
    return None


async def _room(unprocessed: UnprocessedMessages, calls: Calls) -> None:
    await unprocessed.room()
    await calls.room()


def _may_repeat(generation: TypedGeneration) -> bool:
    """Whether a message that comes now may have come before. The gateway counts from its first time."""
    return asyncio.get_running_loop().time() < generation.started_at + REPEATING_SECONDS


async def _call(generation: TypedGeneration, connection: HostedConnection, call: Call, request: ActionRequest) -> None:
    """Run one action and answer. If it is cancelled because the actor stops, the client's message comes again."""
    if generation.is_stopping and connection.hibernatable:
        return
    answer: ToClient
    try:
        output = await generation.calls.run(connection, request.name, request.args, call)
        answer = ActionResponse(request.id, output)
    except Exception as error:
        answer = generation.error_for(generation.for_caller(error, f"action {request.name}"), request.id)
    except asyncio.CancelledError:
        if call.ended:  # it was acknowledged already, so it does not come again
            await _tell_of_stop(generation, connection, request.id)
        raise
    finally:
        generation.saving.soon()
    try:
        assert connection.ws is not None
        await connection.ws.send(_frame(generation, connection.codec, answer, request.id))
    except WebSocketClosed:
        pass
    if call.messages is not None and not call.ended:
        call.end()
        generation.saving.soon()


async def _tell_of_stop(generation: TypedGeneration, connection: HostedConnection, action_id: int) -> None:
    told = generation.error_for(cut_off("the action"), action_id)
    assert connection.ws is not None
    with contextlib.suppress(WebSocketClosed):
        await connection.ws.send(connection.codec.encode_to_client(told))


def _frame(generation: TypedGeneration, encoding: Codec, answer: ToClient, action_id: int) -> str | bytes:
    """The answer, or an error if it cannot be sent."""
    try:
        frame = encoding.encode_to_client(answer)
        generation.check_outgoing(frame)
    except (TypeError, ValueError, Refusal) as error:
        told = generation.for_caller(error, "the answer of an action")
        return encoding.encode_to_client(generation.error_for(told, action_id))
    return frame
