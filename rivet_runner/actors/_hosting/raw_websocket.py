"""A raw WebSocket, ``/websocket/…``: what it carries is the actor's own business."""

from __future__ import annotations

import asyncio

from rivet_runner.actors._hosting.generation import CLOSED_BY_STOP, TypedGeneration
from rivet_runner.actors._hosting.offers import offered_params
from rivet_runner.errors import WebSocketClosed
from rivet_runner.websocket import WebSocket

__all__ = ["converse_raw"]


async def converse_raw(generation: TypedGeneration, ws: WebSocket) -> None:
    """Serve it, or close it if the actor refuses it."""
    task = asyncio.current_task()
    assert task is not None
    try:
        await generation.guard(offered_params(generation.kind, ws), ws.request)
        if generation.is_stopping:
            await ws.close(*CLOSED_BY_STOP)
            return
        generation.raw_websockets[ws] = task
        await generation.instance.on_websocket(ws)
    except Exception as error:
        if isinstance(error, WebSocketClosed) and ws.close_code is not None:
            return
        told = generation.error_for(generation.for_caller(error, "on_websocket"))
        await ws.close(1011, f"{told.group}.{told.code}")
    finally:
        generation.raw_websockets.pop(ws, None)
        generation.saving.soon()
