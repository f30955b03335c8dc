"""The part of ASGI 3 that the serverless application uses: paths below a mount, and JSON answers."""

from __future__ import annotations

from typing import Final

import msgspec

from rivet_runner._asgi_types import Scope, Send

__all__ = ["answer", "answer_error", "path_within"]

JSON: Final = b"application/json"


def path_within(scope: Scope) -> str:
    """Return the path below the application's mount.

    By the ASGI specification ``path`` begins with the ``root_path`` of the mount. Some servers and frameworks leave
    it out, because older versions of the specification were unclear.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and path.startswith(f"{root}/"):
        return path.removeprefix(root)
    return path


async def answer(
    send: Send, scope: Scope, status: int, value: object, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Answer with ``value`` as JSON. The answer to a HEAD request has no body."""
    body = msgspec.json.encode(value)
    length = (b"content-length", str(len(body)).encode())
    fields = [(b"content-type", JSON), length, (b"cache-control", b"no-store"), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body, "more_body": False})


async def answer_error(
    send: Send, scope: Scope, status: int, code: str, message: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Answer with an error in the engine's own form. The engine shows it with the runner's configuration."""
    await answer(send, scope, status, {"group": "serverless", "code": code, "message": message}, headers)
