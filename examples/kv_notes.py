"""A REST API for notes in an actor's key-value store. One actor is one notebook.

``GET /notes`` lists the names of the notes. ``GET /notes?prefix=to-`` lists those that begin with ``to-``. ``GET``, ``PUT``
and ``DELETE /notes/NAME`` read, write and delete one note.

To try it, run ``make dev``, which prints the URL of its engine. Start this program in another terminal::

    export ENGINE=http://127.0.0.1:PORT           # the URL that ``make dev`` prints
    RIVET_ENDPOINT=$ENGINE python -m examples.kv_notes

Then run these commands in a third terminal, in which ``ENGINE`` is set too::

    curl -X PUT "$ENGINE/runner-configs/notes?namespace=default" -H 'content-type: application/json' \\
      -d '{"datacenters":{"default":{"normal":{}}}}'
    curl -X POST "$ENGINE/actors?namespace=default" -H 'content-type: application/json' \\
      -d '{"name":"notebook","key":"mine","runner_name_selector":"notes","crash_policy":"sleep"}'

    NOTES="$ENGINE/gateway/ACTOR_ID/notes"        # the actor_id that the last command printed
    curl -X PUT "$NOTES/to-buy" -d 'bread and milk'
    curl "$NOTES/to-buy"
    curl "$NOTES?prefix=to-"
    curl -X DELETE "$NOTES/to-buy"
"""

from __future__ import annotations

import logging
from urllib.parse import unquote

from rivet_runner import Actor, KvLimitExceeded, Request, Response, Runner

PREFIX = "note/"
"""Prefix of the notes' keys, so that the actor can keep other data in its store too."""


def key_of(name: str) -> bytes:
    return f"{PREFIX}{name}".encode()


def name_of(key: bytes) -> str:
    return key.decode().removeprefix(PREFIX)


class Notes(Runner):
    async def fetch(self, actor: Actor, request: Request) -> Response:
        # The path is as the client sent it, so the name in it is still percent-encoded.
        resource, _, name = request.path.removeprefix("/").partition("/")
        if resource != "notes":
            return Response("not found\n", status=404)
        try:
            return await (one_note(actor, request, unquote(name)) if name else list_notes(actor, request))
        except KvLimitExceeded as error:
            return Response(f"{error}\n", status=413)


async def list_notes(actor: Actor, request: Request) -> Response:
    if request.method not in ("GET", "HEAD"):
        return Response("method not allowed\n", status=405, headers={"allow": "GET, HEAD"})
    found = await actor.kv.list(key_of(request.query.get("prefix", "")))
    return Response.json([name_of(key) for key in found])


async def one_note(actor: Actor, request: Request, name: str) -> Response:
    key = key_of(name)
    match request.method:
        case "PUT":
            await actor.kv.put(key, request.body)
            return Response(status=204)
        case "DELETE":
            await actor.kv.delete(key)
            return Response(status=204)
        case "GET" | "HEAD":
            note = await actor.kv.get(key)
            return Response("no such note\n", status=404) if note is None else Response(note)
        case _:
            return Response("method not allowed\n", status=405, headers={"allow": "GET, HEAD, PUT, DELETE"})


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    Notes(runner_name="notes").run()
