"""The counter of ``docs/raw.md``. Its value survives sleep, restarts and moves of the actor."""

from rivet_runner import Actor, Request, Response, Runner, WebSocket


class Counter(Runner):
    async def on_actor_start(self, actor: Actor) -> None:
        actor.state = int(await actor.kv.get(b"count") or 0)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        actor.state += 1
        await actor.kv.put(b"count", str(actor.state).encode())
        return Response.json({"count": actor.state})

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)


if __name__ == "__main__":
    Counter(runner_name="counter").run()
