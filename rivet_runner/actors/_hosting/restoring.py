"""The connections of clients that have hibernated, as they were before."""

from __future__ import annotations

from rivet_runner.actor import Actor
from rivet_runner.actors._hosting.connection_record import decode_connection
from rivet_runner.actors._hosting.connections import ConnectionTable, HostedConnection
from rivet_runner.actors._hosting.kind import ActorKind
from rivet_runner.actors._hosting.offers import offered_codec, offered_params
from rivet_runner.errors import RivetRunnerError
from rivet_runner.websocket import WebSocket

__all__ = ["restore_all", "restored_connection"]


async def restore_all(actor: Actor, kind: ActorKind, table: ConnectionTable) -> None:
    """Fill the table of an actor that starts. Raises what the store of the records raises.

    A connection whose record is damaged or missing is left to its handler.
    """
    for ws in await actor.restored_websockets():
        if not ws.attachment:
            continue
        try:
            table.restored[ws] = restored_connection(kind, table, ws)
        except RivetRunnerError as error:
            actor.log.error("a connection cannot be restored: %s", error)


def restored_connection(kind: ActorKind, table: ConnectionTable, ws: WebSocket) -> HostedConnection:
    """The connection behind ``ws``. It is in the table if its client is still there.

    Raises `RecordError`, `DecodeError` or a `Refusal` if it is not what was kept.
    """
    stored = decode_connection(ws.attachment)
    params, state = offered_params(kind, ws), stored.decode_state()
    connection = HostedConnection(table, offered_codec(ws), ws, params, state, stored.connected_ms, stored.id)
    if ws.close_code is None:
        ws.auto_processed = False
        table.restore(connection, stored.subscriptions)
    return connection
