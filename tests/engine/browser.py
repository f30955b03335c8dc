"""Headless Chromium for tests, over the DevTools protocol: just enough to use a page as a person does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.waiting import eventually

__all__ = ["Browser", "BrowserError", "BrowserNotFound", "Tab", "find_browser", "launch"]

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
OPTIONS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-crash-reporter",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--password-store=basic",
    "--window-size=1000,800",
    "--remote-debugging-port=0",
)

START_SECONDS: Final = 60.0
CALL_SECONDS: Final = 30.0
EXIT_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.02


class BrowserNotFound(Exception):
    """There is no Chromium on this machine; the message says how to get one."""


class BrowserError(Exception):
    """The browser refused a command, a script raised, or the browser is gone."""


def find_browser() -> str:
    """The path of a Chromium: ``RIVET_BROWSER``, or the first that is on ``PATH``. Raises `BrowserNotFound`."""
    chosen = os.environ.get("RIVET_BROWSER")
    for name in (chosen,) if chosen else NAMES:
        if found := shutil.which(name):
            return found
    missing = f"RIVET_BROWSER is {chosen!r}, which is no program" if chosen else f"no browser ({', '.join(NAMES)}) on PATH"
    raise BrowserNotFound(f"{missing}; tools/install_browser.sh installs it or says how")


@asynccontextmanager
async def launch() -> AsyncIterator[Browser]:
    """A browser with a profile of its own; both are gone afterwards. Raises `BrowserNotFound` and `BrowserError`."""
    program = find_browser()
    with tempfile.TemporaryDirectory(prefix="rivet-browser-", ignore_cleanup_errors=True) as folder:
        profile = Path(folder)
        with (profile / "output").open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                program,
                *OPTIONS,
                f"--user-data-dir={profile}",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | {"HOME": folder, "TMPDIR": folder},
                # A process group of its own, so that its helper processes can be ended with it.
                start_new_session=True,
            )
        try:
            url = await _devtools_url(process, profile)
            async with connect(url, max_size=None, compression=None, ping_interval=None, proxy=None) as connection:
                browser = Browser(connection)
                try:
                    yield browser
                finally:
                    await browser.close()
        finally:
            await _end(process)


async def _devtools_url(process: asyncio.subprocess.Process, profile: Path) -> str:
    """Where it listens: it writes this file, the port and then a path, once it does."""
    port_file = profile / "DevToolsActivePort"
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while True:
        with contextlib.suppress(FileNotFoundError):
            lines = port_file.read_text().splitlines()
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        if process.returncode is not None or asyncio.get_running_loop().time() > deadline:
            output = (profile / "output").read_text(errors="replace")
            state = "is not ready" if process.returncode is None else f"ended with status {process.returncode}"
            raise BrowserError(f"the browser {state}; it said:\n{output[-4000:]}")
        await asyncio.sleep(POLL_SECONDS)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Most often it has been asked to close already. Whatever is left of its process group is killed."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(EXIT_SECONDS):
            await process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


class Browser:
    """A connection to the whole browser; each `Tab` has a session on it."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._calls: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_id = 0
        self._tabs: dict[str, Tab] = {}
        self._reader = asyncio.create_task(self._read(), name="browser: reader")

    async def open(self, url: str) -> Tab:
        """Open a tab that shares nothing with the others (cookies, storage, cache), and wait until its page is loaded."""
        context = await self.call("Target.createBrowserContext")
        target = await self.call(
            "Target.createTarget", url="about:blank", browserContextId=context["browserContextId"], newWindow=True
        )
        attached = await self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tab = self._tabs[attached["sessionId"]] = Tab(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Network"):
            await tab.call(f"{domain}.enable")
        await tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
        navigated = await tab.call("Page.navigate", url=url)
        if "errorText" in navigated:
            raise BrowserError(f"{url}: {navigated['errorText']}")
        await tab.until("location.href !== 'about:blank' && document.readyState === 'complete'")
        return tab

    async def call(self, method: str, *, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result. Raises `BrowserError`."""
        self._last_id += 1
        call_id = self._last_id
        command: dict[str, Any] = {"id": call_id, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        future = self._calls[call_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._connection.send(msgspec.json.encode(command).decode())
                answer = await future
        except ConnectionClosed as error:
            raise BrowserError(f"{method}: the browser is gone") from error
        finally:
            del self._calls[call_id]
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer.get("result", {})
        return result

    async def close(self) -> None:
        """Ask the browser to end; the connection ends with it."""
        with contextlib.suppress(BrowserError, TimeoutError):
            await self.call("Browser.close")
        self._reader.cancel()
        await asyncio.wait([self._reader])

    async def _read(self) -> None:
        try:
            async for text in self._connection:
                message: dict[str, Any] = msgspec.json.decode(text)
                if "id" not in message:
                    if tab := self._tabs.get(message.get("sessionId", "")):
                        tab.on_event(message["method"], message["params"])
                elif (future := self._calls.get(message["id"])) and not future.done():
                    future.set_result(message)
        finally:
            for future in self._calls.values():
                if not future.done():
                    future.set_result({"error": {"message": "the browser is gone"}})


class Tab:
    """One tab. ``errors`` are the page's uncaught exceptions and console errors, ``sockets_opened`` and ``sockets_closed``
    count its WebSockets as the browser sees them."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.errors: list[str] = []
        self.sockets_opened = 0
        self.sockets_closed = 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command for this tab. Raises `BrowserError`."""
        return await self._browser.call(method, session=self._session, **parameters)

    async def evaluate(self, script: str) -> Any:
        """What a JavaScript expression, or the promise that it gives, comes to, as JSON. Raises `BrowserError`."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{script!r} raised: {_describe(answer['exceptionDetails'])}")
        return answer["result"].get("value")

    async def until(self, script: str, seconds: float = 20.0) -> None:
        """Look until a JavaScript expression is true; `AssertionError`, with what the page shows, if it never is."""
        try:
            await eventually(lambda: self.evaluate(f"Boolean({script})"), seconds=seconds, every=POLL_SECONDS, what=script)
        except AssertionError as error:
            error.add_note(f"the page shows:\n{await self.evaluate('document.body.innerText')}\n{self.errors}")
            raise

    async def texts(self, selector: str) -> list[str]:
        """The text of each element that a CSS selector finds."""
        quoted = msgspec.json.encode(selector).decode()
        found: list[str] = await self.evaluate(f"[...document.querySelectorAll({quoted})].map(found => found.textContent)")
        return found

    async def type(self, selector: str, text: str) -> None:
        """Type into the input that a CSS selector finds, and press Enter."""
        quoted = msgspec.json.encode(selector).decode()
        await self.evaluate(f"document.querySelector({quoted}).focus()")
        await self.call("Input.insertText", text=text)
        enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **enter)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **enter)

    async def screenshot(self) -> bytes:
        """What the tab shows, as a PNG file."""
        answer = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])

    def on_event(self, method: str, parameters: dict[str, Any]) -> None:
        """An event of this tab's session has arrived."""
        if method == "Network.webSocketCreated":
            self.sockets_opened += 1
        elif method == "Network.webSocketClosed":
            self.sockets_closed += 1
        elif method == "Runtime.exceptionThrown":
            self.errors.append(_describe(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] == "error":
            self.errors.append(str([argument.get("value") for argument in parameters["args"]]))


def _describe(exception: dict[str, Any]) -> str:
    return str(exception.get("exception", {}).get("description") or exception["text"])
