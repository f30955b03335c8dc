"""The actors that the JavaScript client calls."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rivet_runner import Request, Response, WebSocket
from rivet_runner.actors import App, Connection, DurableActor, Event, UserError, action

__all__ = ["Room", "State", "app"]


class State(msgspec.Struct):
    count: int = 0
    notes: list[str] = []


class Room(DurableActor[State]):
    changed = Event[int]()
    told = Event[Any]()

    async def before_connect(self, params: Any, request: Request) -> dict[str, Any] | None:
        if isinstance(params, dict) and params.get("refuse"):
            raise UserError("not you", code="refused", metadata={"params": params})
        return {"params": params}

    async def on_start(self) -> None:
        self.state.notes.append(f"start {self.generation}")

    async def on_connect(self, connection: Connection) -> None:
        self.state.notes.append("connect")

    async def on_disconnect(self, connection: Connection) -> None:
        self.state.notes.append("disconnect")

    @action
    async def increment(self, by: int = 1) -> int:
        if by < 0:
            raise UserError("only up", code="negative", metadata={"by": by, "big": 2**60})
        self.state.count += by
        await self.changed.emit(self.state.count)
        return self.state.count

    @action
    async def echo(self, value: Any) -> Any:
        return value

    @action
    async def kind(self, value: Any) -> str:
        return type(value).__name__

    @action
    async def integer(self, value: int) -> int:
        return value

    @action
    async def later(self, moment: datetime) -> datetime:
        return moment + timedelta(days=1)

    @action
    async def tell(self, value: Any) -> int:
        return await self.told.emit(value)

    @action
    async def whoami(self) -> Any:
        caller = self.caller
        return None if caller is None else {"params": caller.params, "state": caller.state}

    @action
    async def fail(self) -> None:
        raise RuntimeError("a secret")

    @action(timeout=0.2)
    async def stuck(self) -> None:
        await asyncio.Event().wait()

    @action
    async def nap(self) -> None:
        self.sleep()

    @action
    async def notes(self) -> list[str]:
        return self.state.notes

    @action
    async def count_connections(self) -> int:
        return len(self.connections)

    @action
    async def slow(self, seconds: float, value: Any) -> Any:
        await asyncio.sleep(seconds)
        return value

    @action
    async def given(self) -> Any:
        return {"input": self.input, "key": list(self.key), "name": self.name}

    async def on_websocket(self, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)

    async def on_request(self, request: Request) -> Response:
        return Response(f"{request.method} {request.path}?{request.query_string} ".encode() + request.body, status=201)


def app(**options: Any) -> App:
    return App(Room, **options)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    app(**json.loads(sys.argv[1])).run()
