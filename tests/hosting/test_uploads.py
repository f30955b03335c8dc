"""Request bodies that come in pieces: put together within bounds, and forgotten with their client or connection."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor, Request, Response
from tests.support.scene import settle, started
from tests.support.virtual_time import virtual_time

MAX_UPLOAD = 64 * 1024 * 1024
"""Bytes of one body."""

MAX_UPLOADS = 256
"""Bodies that may be coming at once."""

MEGABYTE = bytes(1024 * 1024)


async def echo(_: Actor, request: Request) -> Response:
    return Response(request.body)


async def measure(_: Actor, request: Request) -> Response:
    return Response(str(len(request.body)))


@pytest.mark.parametrize("first", [None, b"", b"zero "])
@virtual_time
async def test_the_hook_gets_the_whole_body_when_it_came_in_pieces(first: bytes | None) -> None:
    async with started({"fetch": echo}) as (current, connection):
        await current.actor(connection)
        upload = connection.request(method="POST", body=first, stream=True)
        other = connection.request(method="POST", body=b"other ", stream=True)
        upload.send_chunk(b"one ", finish=False)
        other.send_chunk(b"end", finish=True)
        upload.send_chunk(b"two ", finish=False)
        await settle()
        assert len(current.runner.called("fetch")) == 1
        upload.send_chunk(b"", finish=True)
        assert (await upload.response()).body == (first or b"") + b"one two "
        assert (await other.response()).body == b"other end"


@pytest.mark.slow
@virtual_time
async def test_an_upload_is_taken_when_it_has_just_the_largest_size() -> None:
    async with started({"fetch": measure}) as (current, connection):
        await current.actor(connection)
        upload = connection.request(method="POST", body=MEGABYTE, stream=True)
        for number in range(2, 65):
            upload.send_chunk(MEGABYTE, finish=number == 64)
        assert (await upload.response()).body == str(MAX_UPLOAD).encode()


@virtual_time
async def test_an_upload_gets_a_413_and_is_dropped_when_it_is_too_large() -> None:
    async with started({"fetch": measure}) as (current, connection):
        await current.actor(connection)
        upload = connection.request(method="POST", body=MEGABYTE, stream=True)
        for _ in range(63):
            upload.send_chunk(MEGABYTE, finish=False)
        await settle()
        assert upload.replies == []
        upload.send_chunk(b"1", finish=False)
        response = await upload.response()
        assert (response.status, response.body) == (413, b"the request body is too large")
        upload.send_chunk(b"end", finish=True)
        await settle()
        assert len(upload.replies) == 1
        assert current.runner.called("fetch") == []


@virtual_time
async def test_further_uploads_get_a_503_when_too_many_are_coming() -> None:
    async with started({"fetch": echo}) as (current, connection):
        await current.actor(connection)
        uploads = [connection.request(method="POST", stream=True) for _ in range(MAX_UPLOADS)]
        response = await connection.request(method="POST", stream=True).response()
        assert response.status == 503
        # A whole body is no upload, and the end of one makes room for another.
        assert (await connection.request(method="POST", body=b"whole").response()).body == b"whole"
        uploads[0].send_chunk(b"end", finish=True)
        assert (await uploads[0].response()).body == b"end"
        late = connection.request(method="POST", stream=True)
        late.send_chunk(b"late", finish=True)
        assert (await late.response()).body == b"late"


@virtual_time
async def test_an_upload_is_forgotten_when_its_client_aborts() -> None:
    async with started({"fetch": echo}) as (current, connection):
        await current.actor(connection)
        upload = connection.request(method="POST", stream=True)
        upload.send_chunk(b"one", finish=False)
        upload.abort()
        upload.send_chunk(b"two", finish=True)
        await settle()
        assert upload.replies == []
        assert current.runner.called("fetch") == []


@virtual_time
async def test_an_upload_is_forgotten_when_the_connection_is_lost() -> None:
    async with started({"fetch": echo}) as (current, connection):
        await current.actor(connection)
        upload = connection.request(method="POST", stream=True)
        upload.send_chunk(b"one", finish=False)
        await settle()
        connection.abort()
        upload.connection = await current.reconnected()
        upload.send_chunk(b"two", finish=True)
        await asyncio.sleep(60)
        assert upload.replies == []
        assert current.runner.called("fetch") == []
