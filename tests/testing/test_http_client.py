from __future__ import annotations

import asyncio

import pytest

from rivet_runner.testing import HttpExchangeFailed, HttpResponse
from rivet_runner.testing.engine_config import choose_ports
from rivet_runner.testing.http_client import exchange
from tests.support.virtual_time import virtual_time
from tests.testing.http_server import Handler, server


def answering(*pieces: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            # Lets the client see each piece by itself.
            await asyncio.sleep(0)

    return handler


async def get(*pieces: bytes, method: str = "GET") -> HttpResponse:
    async with server(answering(*pieces)) as url:
        return await exchange(method, url, timeout=60)


async def sent(method: str, path: str, **options: object) -> bytes:
    """Return the bytes of a request as the server reads them."""
    received = bytearray()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.readuntil(b"\r\n\r\n"))
        length = received.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        received.extend(await reader.readexactly(int(length or b"0")))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with server(handler) as url:
        await exchange(method, f"{url}{path}", timeout=60, **options)  # type: ignore[arg-type]
    return bytes(received)


async def test_body_is_read_when_its_length_is_given() -> None:
    response = await get(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", b'{"a"', b":1}more")
    assert (response.status, response.text(), response.json()) == (200, '{"a":1}', {"a": 1})


async def test_body_is_put_together_when_it_is_chunked() -> None:
    response = await get(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 1\r\n\r\n",
        b"5\r\nhel",
        b"lo\r\nA;name=value\r\n0123456789\r",
        b"\n0\r\nTrailer: x\r\n\r\n",
    )
    assert response.body == b"hello0123456789"


async def test_body_ends_with_the_connection_when_no_length_is_given() -> None:
    assert (await get(b"HTTP/1.0 200 OK\r\n\r\n", b"all ", b"of it")).body == b"all of it"


async def test_body_is_whole_when_it_is_large() -> None:
    body = bytes(range(256)) * 20_000
    response = await get(f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode(), body)
    assert response.body == body


async def test_every_header_is_found_when_names_repeat_or_differ_in_case() -> None:
    response = await get(b"HTTP/1.1 200\r\nSet-Cookie: a=1\r\nset-cookie:b=2 \r\nEmpty:\r\ncontent-length: 0\r\n\r\n")
    assert response.headers.getall("SET-COOKIE") == ["a=1", "b=2"]
    assert response.headers["empty"] == ""


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_body_is_empty_when_the_answer_cannot_have_one(method: str, status: int) -> None:
    head = f"HTTP/1.1 {status} Some words\r\ncontent-length: 10\r\n\r\n".encode()
    assert (await get(head, method=method)).body == b""


async def test_answer_is_the_final_one_when_interim_answers_come_first() -> None:
    response = await get(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n")
    assert response.status == 201


async def test_path_query_and_headers_are_unchanged_when_they_are_sent() -> None:
    headers = [("X-Twice", "1"), ("X-Twice", "2"), ("Host", "named")]
    request = await sent("PROPFIND", "/a%2Fb?c=%20&d#fragment", headers=headers, body=b"body")
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"PROPFIND /a%2Fb?c=%20&d HTTP/1.1",
        b"X-Twice: 1",
        b"X-Twice: 2",
        b"Host: named",
        b"connection: close",
        b"content-length: 4",
    ]
    assert body == b"body"


async def test_length_is_sent_when_the_method_normally_has_a_body() -> None:
    assert b"content-length: 0" in await sent("POST", "/")
    assert b"content-length" not in await sent("GET", "")


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET /", "/", {}),
        ("GET", "/a b", {}),
        ("GET", "/a\r\nb", {}),
        ("GET", "/ä", {}),
        ("GET", "/", {"a b": "c"}),
        ("GET", "/", {"a": "b\r\nc: d"}),
    ],
)
async def test_value_error_when_a_request_would_break_the_protocol(method: str, path: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        await exchange(method, f"http://127.0.0.1:1{path}", headers=headers)


async def test_value_error_when_the_url_is_of_another_kind() -> None:
    with pytest.raises(ValueError, match="ftp"):
        await exchange("GET", "ftp://127.0.0.1/")


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1_0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n",
        b"x" * 1_000_000,
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200_000,
    ],
    ids=lambda answer: repr(answer[:40]),
)
async def test_exchange_fails_when_the_answer_is_not_http(answer: bytes) -> None:
    with pytest.raises(HttpExchangeFailed, match="not HTTP"):
        await get(answer)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfour",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfour",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n",
    ],
)
async def test_exchange_fails_when_the_connection_closes_early(answer: bytes) -> None:
    with pytest.raises(HttpExchangeFailed, match="closed early"):
        await get(answer)


async def test_exchange_fails_when_the_connection_is_refused() -> None:
    with pytest.raises(HttpExchangeFailed, match="cannot connect"):
        await exchange("GET", f"http://127.0.0.1:{choose_ports().guard}/")


async def test_early_answer_to_an_upload_is_read_when_the_connection_is_reset() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig")
        await writer.drain()
        # Closing with unread data is a reset.

    async with server(handler) as url:
        response = await exchange("POST", url, body=bytes(5_000_000), timeout=60)
    assert (response.status, response.body) == (413, b"big")


@virtual_time
async def test_timeout_error_when_no_answer_comes() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        await reader.read()

    loop = asyncio.get_running_loop()
    async with server(handler) as url:
        began = loop.time()
        with pytest.raises(TimeoutError, match=r"GET .* within 0.05 s"):
            await exchange("GET", url, timeout=0.05)
        assert loop.time() - began == pytest.approx(0.05)


async def test_connection_is_dropped_when_the_request_is_cancelled() -> None:
    connected, dropped = asyncio.Event(), asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        connected.set()
        assert await reader.read() == b""
        dropped.set()

    async with server(handler) as url:
        request = asyncio.create_task(exchange("GET", url))
        await connected.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        async with asyncio.timeout(60):
            await dropped.wait()


@pytest.mark.slow
async def test_all_are_answered_when_many_requests_are_made_at_once() -> None:
    async with server(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")) as url:
        responses = await asyncio.gather(*(exchange("GET", url) for _ in range(300)))
    assert {response.body for response in responses} == {b"ok"}
