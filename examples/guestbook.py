"""A guestbook with FastAPI inside an actor. One actor is one guestbook. docs/asgi.md explains it.

To try it, run ``make dev``, which prints the URL of its engine. Start this program in another terminal::

    export ENGINE=http://127.0.0.1:PORT           # the URL that ``make dev`` prints
    RIVET_ENDPOINT=$ENGINE python -m examples.guestbook

Then run these commands in a third terminal, in which ``ENGINE`` is set too::

    curl -X PUT "$ENGINE/runner-configs/guestbook?namespace=default" -H 'content-type: application/json' \\
      -d '{"datacenters":{"default":{"normal":{}}}}'
    curl -X POST "$ENGINE/actors?namespace=default" -H 'content-type: application/json' \\
      -d '{"name":"guestbook","key":"mine","runner_name_selector":"guestbook","crash_policy":"sleep"}'

    BOOK="$ENGINE/gateway/ACTOR_ID"               # the actor_id that the last command printed
    curl "$BOOK/entries" -H 'content-type: application/json' -d '{"text":"Nice place."}'
    curl "$BOOK/entries"

Open ``$BOOK/docs`` in a browser for the documentation that FastAPI makes.
"""

import time
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, WebSocket
from fastapi.requests import HTTPConnection
from pydantic import BaseModel

from rivet_runner import Actor
from rivet_runner.asgi import AsgiRunner

app = FastAPI(title="Guestbook")


def this_actor(connection: HTTPConnection) -> Actor:
    actor: Actor = connection.scope["rivet.actor"]
    return actor


ThisActor = Annotated[Actor, Depends(this_actor)]


class Entry(BaseModel):
    text: str


@app.get("/entries")
async def entries(actor: ThisActor) -> list[str]:
    stored = await actor.kv.list(b"entry/")
    return [text.decode() for text in stored.values()]


@app.post("/entries", status_code=201)
async def sign(entry: Entry, actor: ThisActor) -> Entry:
    if not entry.text.strip():
        raise HTTPException(400, "an entry needs a text")
    await actor.kv.put(f"entry/{time.time_ns()}".encode(), entry.text.encode())
    await actor.broadcast(entry.text)
    return entry


@app.websocket("/live")
async def live(ws: WebSocket) -> None:
    await ws.accept()
    async for _ in ws.iter_text():
        pass


if __name__ == "__main__":
    AsgiRunner(app, runner_name="guestbook").run()
