"""Calls the JavaScript client, which runs as a program of its own."""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.javascript.values import build, describe

__all__ = ["Events", "JavaScript", "JavaScriptError", "JsClient", "JsHandle", "JsLive", "JsThing"]

PROGRAM: Final = Path(__file__).parent / "client.mjs"
CALL_SECONDS: Final = 60.0
EXIT_SECONDS: Final = 10.0
LINE_BYTES: Final = 16 * 1024 * 1024


class JavaScriptError(Exception):
    """What a call in JavaScript threw."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__(f"{fields['name']}: {fields['message']} ({fields['group']}.{fields['code']})")
        self.group, self.code, self.message = fields["group"], fields["code"], fields["message"]
        self.metadata, self.actor = fields["metadata"], fields["actor"]


class JavaScript:
    """The program, from the beginning of ``async with`` to its end. ``folder`` is where npm installed the client."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ids = 0
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._events: dict[int, Events] = {}
        self._errors: deque[str] = deque(maxlen=100)
        self.unhandled: list[Any] = []
        """The rejections that no code of the client handled."""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            "node",
            str(PROGRAM),
            str(self._folder),
            env={**_environment(), "RIVET_LOG_LEVEL": "silent"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
        )
        self._readers = [asyncio.create_task(self._read()), asyncio.create_task(self._read_errors())]
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(EXIT_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await asyncio.gather(*self._readers)
        if exc is not None and self._errors:
            exc.add_note("the JavaScript client wrote: " + "\n".join(self._errors))

    def client(self, endpoint: str, *, encoding: str, pool: str, **options: Any) -> JsClient:
        """A client for actors of the runner ``pool``."""
        thing = self.thing(0)
        given = {
            "endpoint": endpoint,
            "encoding": encoding,
            "poolName": pool,
            "namespace": "default",
            "disableMetadataLookup": True,
            "devtools": False,
            **options,
        }
        return JsClient(thing, thing.start("createClient", given, keep=True))

    def thing(self, number: int) -> JsThing:
        return JsThing(self, number)

    def send(self, thing: int, path: list[str], args: list[Any], *, keep: bool = False, listen: bool = False) -> Call:
        """Send a call. Calls are carried out in the order in which they are sent."""
        self._ids += 1
        request = {"id": self._ids, "thing": thing, "path": path, "args": describe(args), "keep": keep, "listen": listen}
        if listen:
            self._events[self._ids] = Events()
        answer = self._calls[self._ids] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        return Call(self, self._ids, answer)

    def events(self, call: int) -> Events:
        """The calls of a call's callback."""
        return self._events[call]

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._take(json.loads(line))
        for call in self._calls.values():
            if not call.done():
                call.set_exception(ConnectionError("the JavaScript client has ended"))
                # A call that no test waits for is no error.
                call.exception()

    def _take(self, line: dict[str, Any]) -> None:
        if "event" in line:
            self._events[line["event"]].add([build(argument) for argument in line["args"]])
        elif "unhandled" in line:
            self.unhandled.append(build(line["unhandled"]))
        else:
            call = self._calls.pop(line["id"])
            if call.done():
                return
            if "error" in line:
                call.set_exception(JavaScriptError(build(line["error"])))
                call.exception()
            else:
                call.set_result(build(line["value"]))

    async def _read_errors(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self._errors.append(line.decode(errors="replace").rstrip("\n"))


class Events:
    """The arguments of each call of a callback, in order."""

    def __init__(self) -> None:
        self._calls: asyncio.Queue[list[Any]] = asyncio.Queue()

    def add(self, arguments: list[Any]) -> None:
        self._calls.put_nowait(arguments)

    def taken(self) -> list[list[Any]]:
        """All that are here and were not taken."""
        return [self._calls.get_nowait() for _ in range(self._calls.qsize())]

    async def get(self) -> list[Any]:
        """Wait for the next. Raises `TimeoutError` after a minute, like every call here."""
        async with asyncio.timeout(CALL_SECONDS):
            return await self._calls.get()


class Call:
    """A call under way: await its `result`."""

    def __init__(self, program: JavaScript, number: int, answer: asyncio.Future[Any]) -> None:
        self._program = program
        self._answer = answer
        self.number = number

    @property
    def kept(self) -> JsThing:
        return self._program.thing(self.number)

    async def result(self) -> Any:
        """What it returned. Raises `JavaScriptError` for what it threw."""
        async with asyncio.timeout(CALL_SECONDS):
            return await asyncio.shield(self._answer)


class JsThing:
    """An object of the program."""

    def __init__(self, program: JavaScript, number: int) -> None:
        self._program = program
        self._number = number

    def start(self, path: str, *args: Any, keep: bool = False) -> Call:
        """Call the function at ``path``, whose names are parted by dots."""
        return self._program.send(self._number, path.split("."), list(args), keep=keep)

    async def call(self, path: str, *args: Any) -> Any:
        """Call the function at ``path``, and return what it returned."""
        return await self.start(path, *args).result()

    async def listen(self, path: str, *args: Any) -> Events:
        """Give the function at ``path`` a callback, and return the calls of it."""
        call = self._program.send(self._number, path.split("."), list(args), listen=True)
        await call.result()
        return self._program.events(call.number)


class JsClient:
    """What `createClient` returned."""

    def __init__(self, _parent: JsThing, made: Call) -> None:
        self._thing = made.kept

    def get_or_create(self, actor: str, *key: str, **options: Any) -> JsHandle:
        return JsHandle(self._thing.start(f"{actor}.getOrCreate", list(key), options, keep=True))

    def get(self, actor: str, *key: str, **options: Any) -> JsHandle:
        return JsHandle(self._thing.start(f"{actor}.get", list(key), options, keep=True))

    def get_for_id(self, actor: str, actor_id: str, **options: Any) -> JsHandle:
        return JsHandle(self._thing.start(f"{actor}.getForId", actor_id, options, keep=True))

    async def create(self, actor: str, *key: str, **options: Any) -> JsHandle:
        call = self._thing.start(f"{actor}.create", list(key), options, keep=True)
        await call.result()
        return JsHandle(call)


class JsHandle:
    """A handle of an actor."""

    def __init__(self, made: Call) -> None:
        self._thing = made.kept

    def start(self, action: str, *args: Any) -> Call:
        return self._thing.start("action", {"name": action, "args": list(args)})

    async def call(self, action: str, *args: Any) -> Any:
        return await self.start(action, *args).result()

    async def resolve(self) -> str:
        return str(await self._thing.call("resolve"))

    async def fetch(self, path: str, **init: Any) -> Any:
        return await self._thing.call("fetch", path, init)

    async def websocket(self, path: str) -> JsThing:
        call = self._thing.start("webSocket", path, keep=True)
        await call.result()
        return call.kept

    async def send(self, queue: str, body: Any) -> Any:
        return await self._thing.call("send", queue, body)

    def connect(self, *params: Any) -> JsLive:
        return JsLive(self._thing.start("connect", *params, keep=True))


class JsLive:
    """A connection."""

    def __init__(self, made: Call) -> None:
        self._thing = made.kept

    async def ready(self) -> None:
        await self._thing.call("ready")

    def start(self, action: str, *args: Any) -> Call:
        return self._thing.start("action", {"name": action, "args": list(args)})

    async def call(self, action: str, *args: Any) -> Any:
        return await self.start(action, *args).result()

    async def on(self, event: str) -> Events:
        return await self._thing.listen("on", event)

    async def errors(self) -> Events:
        return await self._thing.listen("onError")

    async def closes(self) -> Events:
        return await self._thing.listen("onClose")

    async def opens(self) -> Events:
        return await self._thing.listen("onOpen")

    async def statuses(self) -> Events:
        """Each change of what `status` returns."""
        return await self._thing.listen("onStatusChange")

    async def status(self) -> str:
        return str(await self._thing.call("connStatus"))

    async def dispose(self) -> None:
        await self._thing.call("dispose")


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("RIVET_")}
